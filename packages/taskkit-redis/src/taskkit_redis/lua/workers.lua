-- uses base
-- Answers of each worker its id, what it said of itself, when it registered, when its lease ends,
-- and how many tasks it runs.

local answer = {}
for _, worker in ipairs(call('ZRANGE', P .. 'workers', 0, -1)) do
  local known = call('HMGET', P .. 'worker:' .. worker, 'info', 'registered', 'expires')
  local size = #answer
  answer[size + 1], answer[size + 2], answer[size + 3] = worker, known[1], known[2]
  answer[size + 4], answer[size + 5] = known[3], call('SCARD', P .. 'run:' .. worker)
end
return answer
