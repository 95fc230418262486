-- uses base
-- A worker begins; or, in a partition that is not its home, gets a copy of its lease.
--
-- ARGV[3]  id
-- ARGV[4]  lease, in microseconds
-- ARGV[5]  what it says of itself, packed; empty: a copy
-- Answers the partitions in which it has claimed.

local key = P .. 'worker:' .. ARGV[3]
local expires = stamp(instant + tonumber(ARGV[4]))
call('DEL', key)
-- Of an earlier life of this id only the running tasks are left. Their claims are older than this
-- mark, so the next heartbeat gives back what it does not name.
call('HSET', key, 'expires', expires, 'registered', now, 'info', ARGV[5], 'stopped', '', 'mark',
  call('GET', P .. 'token') or '0')
call('ZADD', P .. 'workers', expires, ARGV[3])
return call('SMEMBERS', P .. 'attended:' .. ARGV[3])
