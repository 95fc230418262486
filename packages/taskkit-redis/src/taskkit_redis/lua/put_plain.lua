-- uses nothing
-- Absent: queued. The usual put: tasks of one group, due now, without options.
--
-- It does what put does to them, straight through: a put of one task takes no longer than its five
-- commands, and to build the modules would take as long again.
--
-- ARGV[3]  the group
-- ARGV[4]  100 - priority, three digits
-- ARGV[5]  ttl (packed)
-- then of each task: id, rest (packed)
-- Answers as put; nothing, with nothing changed, where limits or expiry have to be looked at.

local P, call = KEYS[1], redis.call
if ARGV[2] ~= 'PUBLISH' and type(redis.pcall('EXISTS', P .. 'nothing')) == 'table' then
  return redis.error_reply('TRYAGAIN the slot is being moved to another node')
end
local group, priority = ARGV[3], ARGV[4]
if call('EXISTS', P .. 'x', P .. 'limits') > 0
  and (call('EXISTS', P .. 'x') == 1 or call('HEXISTS', P .. 'limits', group) == 1)
then
  return false
end
local now = ARGV[1]
if now == '' then
  local clock = call('TIME')
  -- Cut out, not formatted: that would take longer than any command.
  now = string.sub('00' .. clock[1], -12) .. string.sub('00000' .. clock[2], -6)
end
local line_key = P .. 'q:' .. group
-- As new_record of putting makes it.
local head = '\146\154\161q\194\178' .. now .. '\178' .. now .. '\163' .. priority .. '\160\0\0\0' .. ARGV[5]
local keys, place_in_line, tail = P .. 't:', priority .. now, #group + 2
local answers, ids, line, put = {}, {}, {}, 0
for place = 6, #ARGV, 2 do
  local id, answer = ARGV[place], 1
  if call('SET', keys .. id, head .. ARGV[place + 1], 'NX') then
    ids[2 * put + 1], ids[2 * put + 2] = 0, id
    line[2 * put + 1], line[2 * put + 2] = 0, place_in_line .. string.sub(id, tail)
    put = put + 1
    answer = 0
  end
  answers[place / 2 - 2] = answer
end
if put == 0 then
  return answers
end
local was_empty = call('EXISTS', line_key) == 0
for from = 1, 2 * put, 4000 do
  local upto = math.min(from + 3999, 2 * put)
  call('ZADD', P .. 'ids', unpack(ids, from, upto))
  call('ZADD', line_key, unpack(line, from, upto))
end
if was_empty then
  local turn, name = call('INCR', P .. 'turn'), group
  while name do
    call('ZADD', P .. 'v:' .. name, 'NX', turn, group)
    name = string.match(name, '^(.*)%.[^.]*$')
  end
end
call('HINCRBY', P .. 'groups', group, put)
call(ARGV[2], P .. 'wake', group)
return answers
