-- Absent: waiting or queued. All of them or none.
--
-- Eight arguments for each task: id, length of its group's name, due, priority, expires, ttl (packed),
-- options (packed; empty: none), rest (packed).

local FIELDS = 8
local NEW, KNOWN = 0, 1

-- The record of a new task; `options` and `ttl` are packed.
local function new_record(options, due, priority, expires, ttl, rest)
  expires = expires == '' and '\160' or '\178' .. expires
  return '\146\154\161q' .. (options == '' and '\194' or options) .. '\178' .. due .. '\178' .. now
    .. '\163' .. priority .. expires .. '\0\0\0' .. ttl .. rest
end

local function group_at(place)
  return string.sub(ARGV[place], 1, tonumber(ARGV[place + 1]))
end

local function tail_at(place)
  return string.sub(ARGV[place], tonumber(ARGV[place + 1]) + 2)
end

-- What is to be done with each: NEW, KNOWN, or the id that holds its key; and how much each group
-- would grow.
local function judge(first)
  local answers, options, grown = {}, {}, {}
  local fresh, keys = {}, {}
  for place = first, #ARGV, FIELDS do
    local id, group = ARGV[place], group_at(place)
    local chosen = ARGV[place + 6] ~= '' and cmsgpack.unpack(ARGV[place + 6]) or false
    local answer = NEW
    if fresh[id] or call('EXISTS', key_of(id)) == 1 then
      answer = KNOWN
    elseif chosen and chosen[UNIQUE] then
      local mine = keys[group] or {}
      keys[group] = mine
      local key = chosen[UNIQUE]
      local holder = mine[key] or transitions().holder(group, key)
      if holder then
        answer = holder
      else
        mine[key] = id
      end
    end
    if answer == NEW then
      fresh[id] = true
      grown[group] = (grown[group] or 0) + 1
    end
    answers[#answers + 1], options[#options + 1] = answer, chosen
  end
  return answers, options, grown
end

-- The group that would hold too much, and how much it may hold.
local function too_full(grown)
  if call('EXISTS', P .. 'limits') == 0 then
    return nil
  end
  for group, by in pairs(grown) do
    local limits = call('HGET', P .. 'limits', group)
    local most = limits and tonumber(string.match(limits, '([^|]*)$'))
    if most and queue().unclaimed(group) + by > most then
      return group, most
    end
  end
end

local function lines_of(lines, group)
  local found = lines[group] or {}
  lines[group] = found
  return found
end

local function enter(ids, ready, waiting)
  many('ZADD', P .. 'ids', ids)
  for group, members in pairs(ready) do
    local key = P .. 'q:' .. group
    if call('EXISTS', key) == 1 then
      -- It is in its rings.
      many('ZADD', key, members)
      wake(group)
    else
      lines().enter_ready(group, members)
    end
  end
  for group, members in pairs(waiting) do
    lines().enter_waiting(group, members)
  end
end

local function write(first, answers, options)
  local ids, ready, waiting, expiring = {}, {}, {}, {}
  for index, answer in ipairs(answers) do
    if answer == NEW then
      local place = first + (index - 1) * FIELDS
      local id, group, tail = ARGV[place], group_at(place), tail_at(place)
      local due, expires = resolve(ARGV[place + 2]), resolve(ARGV[place + 4])
      local priority, chosen = ARGV[place + 3], options[index]
      local raw =
        new_record(ARGV[place + 6], due, priority, expires, ARGV[place + 5], ARGV[place + 7])
      call('SET', key_of(id), raw)
      ids[#ids + 1], ids[#ids + 2] = 0, id
      local is_due = due <= now
      local line = lines_of(is_due and ready or waiting, group)
      line[#line + 1] = 0
      line[#line + 1] = is_due and priority .. due .. tail or due .. priority .. tail
      if chosen and chosen[UNIQUE] then
        call('HSET', P .. 'u:' .. group, chosen[UNIQUE], tail)
      end
      if expires ~= '' then
        expiring[#expiring + 1] = 0
        expiring[#expiring + 1] = expires .. string.format('%03d', ARGV[place + 1]) .. id
      end
    end
  end
  many('ZADD', P .. 'x', expiring)
  enter(ids, ready, waiting)
end

-- The usual put, in one pass: tasks without options, where no group has limits and nothing expires.
-- Nothing can stand in their way but that they are known.
local function put_plainly(first)
  local answers, ids, ready, waiting, grown = {}, {}, {}, {}, {}
  local put = 0
  for place = first, #ARGV, FIELDS do
    local id, group, tail = ARGV[place], group_at(place), tail_at(place)
    local due, priority = resolve(ARGV[place + 2]), ARGV[place + 3]
    local raw = new_record('', due, priority, '', ARGV[place + 5], ARGV[place + 7])
    if call('SET', key_of(id), raw, 'NX') then
      ids[2 * put + 1], ids[2 * put + 2] = 0, id
      put = put + 1
      local is_due = due <= now
      local line = lines_of(is_due and ready or waiting, group)
      line[#line + 1] = 0
      line[#line + 1] = is_due and priority .. due .. tail or due .. priority .. tail
      grown[group] = (grown[group] or 0) + 1
      answers[#answers + 1] = NEW
    else
      answers[#answers + 1] = KNOWN
    end
  end
  enter(ids, ready, waiting)
  for group, by in pairs(grown) do
    count_group(group, by)
  end
  return answers
end

local function all_are_plain(first)
  for place = first + 6, #ARGV, FIELDS do
    if ARGV[place] ~= '' then
      return false
    end
  end
  return true
end

local function put_all(first, bounded, only_looks)
  local nothing_special = call('EXISTS', P .. 'x', P .. 'limits') == 0
  if nothing_special and not only_looks and all_are_plain(first) then
    return put_plainly(first)
  end
  -- What has expired takes no room.
  local may_be_left = transitions().sweep(100)
  local answers, options, grown = judge(first)
  if bounded then
    local group, most = too_full(grown)
    if group then
      return { may_be_left and 'AGAIN' or 'FULL', group, most }
    end
  end
  if not only_looks then
    write(first, answers, options)
    for group, by in pairs(grown) do
      count_group(group, by)
    end
  end
  return answers
end

return {
  put_all = put_all,
}
