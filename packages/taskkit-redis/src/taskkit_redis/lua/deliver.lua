-- uses base records lines queue finished transitions putting
-- The tasks of a letter are put, once, however often it is delivered.
--
-- ARGV[3]  the letter's address: schedule, version, this partition
-- then the tasks (see putting)

-- By the server's clock; a letter that is a day old has long been taken out of its outbox.
call('ZREMRANGEBYSCORE', P .. 'delivered', '-inf', clock[1] - 86400)
if call('ZADD', P .. 'delivered', 'NX', clock[1], ARGV[3]) == 1 then
  putting().put_all(4, false, false)
  tell()
end
return 1
