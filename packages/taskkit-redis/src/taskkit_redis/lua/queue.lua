-- What else an unclaimed task holds: a place in its line, a lock, a unique key.

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
      lines().enter_ready(group, { 0, string.sub(first, #prefix + 6) })
    end
    from = '(' .. prefix .. limit .. END
  end
end

local function free_lock(group, lock)
  local key = P .. 'l:' .. group
  if call('HINCRBY', key, lock, -1) <= 0 then
    call('HDEL', key, lock)
  end
  unpark(group, lock)
end

local function unlock(task)
  if task.options[LOCK] then
    free_lock(task.group, task.options[LOCK])
  end
end

-- How often each lock of a group is held, by the records of what runs; nil: one of them is gone.
local function held_locks(group)
  local held = {}
  local entries = call('HGETALL', P .. 'running')
  for place = 1, #entries, 2 do
    local id, run = entries[place], records().read_run(entries[place + 1])
    if string.sub(id, 1, run.glen) == group then
      local raw = call('GET', key_of(id))
      if not raw then
        return nil
      end
      local lock = not is_plain(raw) and records().task_of(id, run.glen, raw).options[LOCK]
      if lock then
        held[lock] = (held[lock] or 0) + 1
      end
    end
  end
  return held
end

-- A claim has ended whose record is gone, and with it what lock it held: so they are counted anew.
-- While another such task runs, nobody can; then the end of that one does it.
local function recount_locks(group)
  local key = P .. 'l:' .. group
  local held = call('EXISTS', key) == 1 and held_locks(group)
  if not held then
    return
  end
  local counted = call('HGETALL', key)
  for place = 1, #counted, 2 do
    local lock = counted[place]
    for _ = (held[lock] or 0) + 1, tonumber(counted[place + 1]) do
      free_lock(group, lock)
    end
  end
end

-- ---- unique keys

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
    lines().settle_ring(group)
  elseif call('ZREM', P .. 'w:' .. group, head[DUE] .. head[PRIORITY] .. task.tail) == 1 then
    lines().settle_alarm(group)
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

return {
  expiry = expiry,
  parking = parking,
  unpark = unpark,
  unlock = unlock,
  recount_locks = recount_locks,
  hold_key = hold_key,
  free_key = free_key,
  dequeue = dequeue,
  unclaimed = unclaimed,
}
