-- Where unclaimed tasks lie, and whose turn it is.
--
--   q:<group>  ready: priority, due, tail of the id; in claim order
--   w:<group>  waiting: due, priority, tail
--   k:<group>  parked behind a lock: lock, NUL, limit, priority, due, tail
--   v:<name>   the groups under a name that have something ready, in the order of their turns
--   z:<name>   the groups under a name that have something waiting, by the first due
--   u:<group>  unique key to the tail of its holder
--   l:<group>  lock key to how many run
--   x          expires, length of the group's name, id: of what is unclaimed and may expire
--
-- All but v and z are sorted by text: their scores are 0. Ids are text, so 0xff is behind them all.

local END = '\255'

-- A group and the names above it: a.b.c, a.b, a.
local lineages = {}
local function lineage(group)
  local found = lineages[group]
  if not found then
    found = { group }
    local name = group
    while true do
      name = string.match(name, '^(.*)%.[^.]*$')
      if not name then
        break
      end
      found[#found + 1] = name
    end
    lineages[group] = found
  end
  return found
end

-- ---- rings and alarms

local function activate(group)
  local turn = call('INCR', P .. 'turn')
  for _, name in ipairs(lineage(group)) do
    call('ZADD', P .. 'v:' .. name, 'NX', turn, group)
  end
end

local function settle_ring(group)
  if call('EXISTS', P .. 'q:' .. group) == 0 then
    for _, name in ipairs(lineage(group)) do
      call('ZREM', P .. 'v:' .. name, group)
    end
  end
end

local function settle_alarm(group)
  local first = call('ZRANGE', P .. 'w:' .. group, 0, 0)[1]
  for _, name in ipairs(lineage(group)) do
    if first then
      call('ZADD', P .. 'z:' .. name, string.sub(first, 1, 18), group)
    else
      call('ZREM', P .. 'z:' .. name, group)
    end
  end
end

-- ---- into the queue; `members` are scores and members, as ZADD takes them

local function enter_ready(group, members)
  local key = P .. 'q:' .. group
  local was_empty = call('EXISTS', key) == 0
  many('ZADD', key, members)
  if was_empty then
    activate(group)
  end
  wake(group)
end

local function enter_waiting(group, members)
  many('ZADD', P .. 'w:' .. group, members)
  settle_alarm(group)
  -- Whoever sleeps until the due that it knows has to learn of an earlier one.
  wake(group)
end

local function enqueue(task)
  local head = task.head
  if head[DUE] <= now then
    enter_ready(task.group, { 0, head[PRIORITY] .. head[DUE] .. task.tail })
  else
    enter_waiting(task.group, { 0, head[DUE] .. head[PRIORITY] .. task.tail })
  end
end

local function expiry(task)
  return task.head[EXPIRES] .. string.format('%03d', task.glen) .. task.id
end

-- ---- locks

local function parking(options, priority, due, tail)
  -- Not by %s, which ends at a NUL.
  return options[LOCK] .. '\0' .. string.format('%05d', options[LOCK_LIMIT]) .. priority .. due .. tail
end

-- Let those go on for whom a lock has room now: of each limit the first one, for one place.
local function unpark(group, lock)
  local key = P .. 'k:' .. group
  if call('EXISTS', key) == 0 then
    return
  end
  local held = tonumber(call('HGET', P .. 'l:' .. group, lock) or '0')
  local prefix = lock .. '\0'
  local from = '[' .. prefix
  while true do
    local first = call('ZRANGEBYLEX', key, from, '(' .. prefix .. END, 'LIMIT', 0, 1)[1]
    if not first then
      return
    end
    local limit = string.sub(first, #prefix + 1, #prefix + 5)
    if tonumber(limit) > held then
      call('ZREM', key, first)
      enter_ready(group, { 0, string.sub(first, #prefix + 6) })
    end
    from = '(' .. prefix .. limit .. END
  end
end

local function unlock(task)
  local lock = task.options[LOCK]
  if lock then
    local key = P .. 'l:' .. task.group
    if call('HINCRBY', key, lock, -1) <= 0 then
      call('HDEL', key, lock)
    end
    unpark(task.group, lock)
  end
end

-- ---- unique keys

local function holder(task)
  local key = task.options[UNIQUE]
  local tail = key and call('HGET', P .. 'u:' .. task.group, key)
  return tail and tail ~= task.tail and (task.group .. '_' .. tail) or nil
end

local function hold_key(task)
  if task.options[UNIQUE] then
    call('HSET', P .. 'u:' .. task.group, task.options[UNIQUE], task.tail)
  end
end

local function free_key(task)
  local key = task.options[UNIQUE]
  if key and call('HGET', P .. 'u:' .. task.group, key) == task.tail then
    call('HDEL', P .. 'u:' .. task.group, key)
  end
end

-- ---- out of the queue, other than by a claim

local function dequeue(task)
  local head, options, group = task.head, task.options, task.group
  if call('ZREM', P .. 'q:' .. group, head[PRIORITY] .. head[DUE] .. task.tail) == 1 then
    settle_ring(group)
  elseif call('ZREM', P .. 'w:' .. group, head[DUE] .. head[PRIORITY] .. task.tail) == 1 then
    settle_alarm(group)
  elseif options[LOCK] then
    call('ZREM', P .. 'k:' .. group, parking(options, head[PRIORITY], head[DUE], task.tail))
  end
  if options[LOCK] then
    -- It may have been the one that was to take the next place.
    unpark(group, options[LOCK])
  end
  if head[EXPIRES] ~= '' then
    call('ZREM', P .. 'x', expiry(task))
  end
end

-- How many unclaimed tasks a group holds.
local function unclaimed(group)
  return call('ZCARD', P .. 'q:' .. group)
    + call('ZCARD', P .. 'w:' .. group)
    + call('ZCARD', P .. 'k:' .. group)
end
