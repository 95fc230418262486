-- uses base
-- ARGV[3]  group
-- ARGV[4]  max_running, limit and period of its rate, max_queue_size, with | between them

call('HSET', P .. 'limits', ARGV[3], ARGV[4])
wake(ARGV[3])
tell()
return 1
