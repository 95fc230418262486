-- uses base
-- Answers now, the pauses with their ends, and the limits.

return { now, call('HGETALL', P .. 'pauses'), call('HGETALL', P .. 'limits') }
