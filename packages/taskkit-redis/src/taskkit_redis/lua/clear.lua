-- uses base
-- Everything of this partition is gone, but the counter of tokens: no claim from before may pass for
-- one from after.
--
-- ARGV[3]  where to go on
-- Answers where to go on; 0: that was all.

local cursor = ARGV[3]
local newest = tonumber(call('GET', P .. 'token') or '0')
call('SET', P .. 'token', string.format('%.0f', math.max(newest, clock[1] * 1000000 + clock[2])))
local kept = { [P .. 'token'] = true, [P .. 'layout'] = true }
for _ = 1, 5 do
  local page = call('SCAN', cursor, 'MATCH', P .. '*', 'COUNT', 500)
  cursor = page[1]
  local found = {}
  for _, key in ipairs(page[2]) do
    if not kept[key] then
      found[#found + 1] = key
    end
  end
  if #found > 0 then
    call('UNLINK', unpack(found))
  end
  if cursor == '0' then
    break
  end
end
call(ARGV[2], P .. 'wake', '*')
return cursor
