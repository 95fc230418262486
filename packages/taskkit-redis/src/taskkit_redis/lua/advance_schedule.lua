-- uses base records queue transitions putting
-- A schedule moves on, and its tasks are put, if it has not moved meanwhile.
--
-- ARGV[3]  name
-- ARGV[4]  the version that it has to have
-- ARGV[5]  the new state
-- then the tasks (see putting)
-- Answers 1 if it has moved.

local key = P .. 'schedule:' .. ARGV[3]
if (call('HGET', key, 'version') or '0') ~= ARGV[4] then
  return 0
end
call('HSET', key, 'version', string.format('%.0f', ARGV[4] + 1), 'state', ARGV[5])
put_all(6, false, false)
tell()
return 1
