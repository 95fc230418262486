-- uses base
-- ARGV[3…]  addresses of letters that may be taken out of the outbox

return call('HDEL', P .. 'outbox', unpack(ARGV, 3))
