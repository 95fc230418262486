-- uses base records lines queue finished transitions leaving
-- A worker ends.
--
-- ARGV[3]  id
-- ARGV[4]  1: it died
-- Answers how many tasks it left behind.

local left = call('SCARD', P .. 'run:' .. ARGV[3])
if left > 0 then
  leaving().take_back(ARGV[3], left, ARGV[4] == '1')
end
leaving().strike(ARGV[3])
tell()
return left
