-- uses base
-- Ask to be told when a task is over; answers 1 if it is already, or is gone.
--
-- ARGV[3]  id

local raw = call('GET', key_of(ARGV[3]))
if not raw or state_of(raw) ~= 'q' then
  return 1
end
-- By the server's clock: it only tells what has long been forgotten.
call('ZADD', P .. 'watched', clock[1], ARGV[3])
call('ZREMRANGEBYSCORE', P .. 'watched', '-inf', clock[1] - 3600)
return 0
