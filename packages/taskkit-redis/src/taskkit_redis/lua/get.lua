-- uses base
-- ARGV[3…]  ids
-- Answers now, and for each id its record, the entry of its claim, and its progress.

local ids, keys = {}, {}
for place = 3, #ARGV do
  ids[#ids + 1] = ARGV[place]
  keys[#keys + 1] = P .. 't:' .. ARGV[place]
end
local raws = read_all('MGET', nil, keys)
local runs = read_all('HMGET', P .. 'running', ids)
local reports = read_all('HMGET', P .. 'progress', ids)
local answer = { now }
for place = 1, #ids do
  answer[3 * place - 1] = raws[place]
  answer[3 * place] = raws[place] and runs[place]
  answer[3 * place + 1] = reports[place]
end
return answer
