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

return {
  lineage = lineage,
  activate = activate,
  settle_ring = settle_ring,
  settle_alarm = settle_alarm,
  enter_ready = enter_ready,
  enter_waiting = enter_waiting,
  enqueue = enqueue,
}
