-- uses base records lines queue finished transitions putting
-- A schedule moves on, and its tasks are put, if it has not moved meanwhile.
--
-- Tasks of other partitions are left in the outbox, in the same step: they will be put.
--
-- ARGV[3]  name
-- ARGV[4]  the version that it has to have
-- ARGV[5]  the new state
-- ARGV[6]  how many letters follow, each with its address (see deliver) and content
-- then the tasks of this partition (see putting)
-- Answers 1 if it has moved.

local key = P .. 'schedule:' .. ARGV[3]
if (call('HGET', key, 'version') or '0') ~= ARGV[4] then
  return 0
end
call('HSET', key, 'version', string.format('%.0f', ARGV[4] + 1), 'state', ARGV[5])
local after = 7 + 2 * tonumber(ARGV[6])
for place = 7, after - 1, 2 do
  call('HSET', P .. 'outbox', ARGV[place], ARGV[place + 1])
end
putting().put_all(after, false, false)
tell()
return 1
