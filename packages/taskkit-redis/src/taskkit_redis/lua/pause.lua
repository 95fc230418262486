-- uses base
-- ARGV[3]   until when (empty: until resumed)
-- ARGV[4…]  groups
-- Answers the instant until which they are paused.

local until_then = resolve(ARGV[3])
for place = 4, #ARGV do
  call('HSET', P .. 'pauses', ARGV[place], until_then)
end
return until_then
