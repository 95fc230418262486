-- uses base
-- ARGV[3]  from where on, as ZRANGEBYLEX takes it
-- ARGV[4]  up to where
-- ARGV[5]  how many ids to look at
-- ARGV[6]  the states that are wanted, one letter each; "r" is running
-- Answers now, the last id that was looked at (empty: that was all), and for each that was found its
-- id, record, entry of its claim, and progress.

local most = tonumber(ARGV[5])
local ids = call('ZRANGEBYLEX', P .. 'ids', ARGV[3], ARGV[4], 'LIMIT', 0, most)
local keys = {}
for place, id in ipairs(ids) do
  keys[place] = key_of(id)
end
local raws = read_all('MGET', nil, keys)
local runs = read_all('HMGET', P .. 'running', ids)
local answer = { now, #ids == most and ids[#ids] or '' }
for place, id in ipairs(ids) do
  local raw, run = raws[place], runs[place]
  if raw and string.find(ARGV[6], run and 'r' or state_of(raw), 1, true) then
    local size = #answer
    answer[size + 1], answer[size + 2], answer[size + 3] = id, raw, run
    answer[size + 4] = run and call('HGET', P .. 'progress', id)
  end
end
return answer
