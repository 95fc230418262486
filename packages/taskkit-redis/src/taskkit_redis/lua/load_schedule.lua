-- uses base
-- ARGV[3]  name
-- Answers version, state, now, and the outbox.

local found = call('HMGET', P .. 'schedule:' .. ARGV[3], 'version', 'state')
return { found[1] or '0', found[2], now, call('HGETALL', P .. 'outbox') }
