-- uses base
-- A worker claims in a partition for the first time; this runs in its home.
--
-- ARGV[3]  id
-- ARGV[4]  the other partition
-- Answers for how many microseconds its lease goes on; 0: it is not alive.

local expires = call('HGET', P .. 'worker:' .. ARGV[3], 'expires')
if not expires or expires <= now then
  return '0'
end
call('SADD', P .. 'attended:' .. ARGV[3], ARGV[4])
return string.format('%.0f', tonumber(expires) - instant)
