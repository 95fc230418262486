-- uses base
-- ARGV[3]  id of a worker
-- Answers the partitions in which it has claimed, beside this one.

return call('SMEMBERS', P .. 'attended:' .. ARGV[3])
