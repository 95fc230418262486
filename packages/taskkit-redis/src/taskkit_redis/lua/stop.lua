-- uses base
-- Every worker that is registered now is to stop serving these groups.
--
-- ARGV[3]  their names, a line each

for _, worker in ipairs(call('ZRANGE', P .. 'workers', 0, -1)) do
  local key = P .. 'worker:' .. worker
  local stopped = call('HGET', key, 'stopped')
  call('HSET', key, 'stopped', stopped == '' and ARGV[3] or stopped .. '\n' .. ARGV[3])
end
return 1
