-- Part of claim: which tasks of a group's line are given, and what becomes of the others.
--
-- From claim: BUDGET, worker, examined, more. For it: claims, runs, mine, busy, given, token.

-- Places are counted: # looks for the end of a table anew each time.
local SHORT = records().SHORT
local claims, runs, mine, busy = {}, {}, {}, {}
local given = 0
local token = nil
local fronts = {}

-- With what the entries of all tasks of a group begin (see records). All claims of one script have one
-- token: it has to grow with every claim of a task, and none is claimed twice here.
local function front_of(group)
  local front = fronts[group]
  if not front then
    -- The counter never lags behind the server's clock, so that a replica that takes over with an
    -- older one gives no token again.
    token = token
      or 1 + math.max(tonumber(call('GET', P .. 'token') or '0'), clock[1] * 1000000 + clock[2])
    front = string.format('%016.0f', token) .. now .. '-'
      .. string.format('%03d%03d', #group, #worker) .. worker
    fronts[group] = front
  end
  return front
end

-- `known` is what the entry says of the task: its record, or its due.
local function give(group, id, raw, known)
  local first, second = 2 * given + 1, 2 * given + 2
  given = given + 1
  runs[first], runs[second] = id, front_of(group) .. known
  claims[first], claims[second] = id, raw
  mine[given] = id
  busy[group] = (busy[group] or 0) + 1
end

-- Whether the lock of a task that is not plain leaves room for it; if not, it is parked.
local function locked(group, task, due)
  local lock = task.options[LOCK]
  if not lock then
    return false
  end
  local held = tonumber(call('HGET', P .. 'l:' .. group, lock) or '0')
  if held < task.options[LOCK_LIMIT] then
    call('HINCRBY', P .. 'l:' .. group, lock, 1)
    return false
  end
  local place = queue().parking(task.options, task.head[PRIORITY], due, task.tail)
  call('ZADD', P .. 'k:' .. group, 0, place)
  return true
end

-- What to do with one that is not plain; returns 1 if it is given.
local function consider(group, id, member, raw)
  local due, tail = string.sub(member, 4, 21), string.sub(member, 22)
  if due > now then
    -- The clock was set back: it waits again.
    lines().enter_waiting(group, { 0, due .. string.sub(member, 1, 3) .. tail })
    return 0
  end
  if not raw then
    -- Evicted, or removed by hand: there is nothing to run.
    records().erase(id)
    count_group(group, -1)
    return 0
  end
  if not is_plain(raw) then
    local task = records().task_of(id, #group, raw)
    if locked(group, task, due) then
      return 0
    end
    if task.head[EXPIRES] ~= '' then
      call('ZREM', P .. 'x', queue().expiry(task))
    end
    if task.options[SCOPE] == 'queued' then
      queue().free_key(task)
    end
  end
  give(group, id, raw, is_untouched(raw) and #raw < SHORT and raw or due)
  return 1
end

-- Whether a piece of a line is due: it is in the order of the due, if all of it is of one priority.
local function are_due(line)
  local first, last = line[1], line[#line]
  return string.sub(first, 1, 3) == string.sub(last, 1, 3) and string.sub(last, 4, 21) <= now
end

-- Take up to `most` from the beginning of a group's line; return how many, and whether it is empty.
local function take(group, most)
  local key, prefix, taken = P .. 'q:' .. group, group .. '_', 0
  local longer = key_of(prefix)
  while taken < most and examined < BUDGET do
    local line = call('ZRANGE', key, 0, most - taken - 1)
    local size = #line
    if size == 0 then
      return taken, true
    end
    local ids, keys = {}, {}
    for place = 1, size do
      local tail = string.sub(line[place], 22)
      ids[place], keys[place] = prefix .. tail, longer .. tail
    end
    local raws = read_all('MGET', nil, keys)
    call('ZREMRANGEBYRANK', key, 0, size - 1)
    local all_due = are_due(line)
    for place = 1, size do
      local raw = raws[place]
      if all_due and raw and is_untouched(raw) then
        give(group, ids[place], raw, #raw < SHORT and raw or string.sub(line[place], 4, 21))
        taken = taken + 1
      else
        taken = taken + consider(group, ids[place], line[place], raw)
      end
    end
    examined = examined + size
  end
  if taken < most then
    more = true
  end
  return taken, call('EXISTS', key) == 0
end
