-- Every way in which a task changes, after its claim has been checked.
--
--   running         id to what is known of its claim (see records)
--   run:<worker>    the ids that a worker runs
--   busy            group to how many of its tasks run
--   progress        id to what its worker reported
--   groups          group to how many tasks it has in the store
--   ids             all ids

-- ---- what a claim leaves behind

local function leave_worker(id, group, worker)
  call('HDEL', P .. 'running', id)
  call('HDEL', P .. 'progress', id)
  call('SREM', P .. 'run:' .. worker, id)
  if call('HINCRBY', P .. 'busy', group, -1) <= 0 then
    call('HDEL', P .. 'busy', group)
  end
  if records().limited(group) then
    wake(group)
  end
end

-- Take a running task off its worker; its place and its lock are free.
local function stop_running(task)
  local run = task.run
  leave_worker(task.id, task.group, run.worker)
  queue().unlock(task)
  local head = records().lengthen(task.head)
  head[SETTLED] = run.token .. (task.outcome or '')
  head[BEGAN] = run.began
  task.was, task.run = run, nil
end

-- ---- where it goes

local function finish(task, state, failure, result)
  local head = records().lengthen(task.head)
  queue().free_key(task)
  head[STATE], head[DONE], head[FAILURE] = state, now, failure or false
  records().save(task, result)
  local gone = string.format('%.0f', instant + head[TTL])
  finished().file(state, task.group, gone, head[DUE], { task.tail })
  over(task.id)
end

-- ---- what has expired: it holds nothing any more, whether or not a sweep has come to it

-- Cancel a task if it was not claimed in time; return whether that was so.
local function expire(task)
  local head = task.head
  local is_late = head[EXPIRES] ~= '' and head[EXPIRES] <= now
  if not is_late or head[STATE] ~= 'q' or task.run then
    return false
  end
  queue().dequeue(task)
  finish(task, 'c', { 'expired', 'not claimed before it expired', '' })
  return true
end

-- Whether there may be more than what was swept; nil: nobody has swept yet.
local may_be_left = nil

-- Cancel some of what was not claimed in time; return whether there may be more.
local function sweep(most)
  local found = call('ZRANGEBYLEX', P .. 'x', '-', '(' .. now .. END, 'LIMIT', 0, most)
  for _, member in ipairs(found) do
    local glen = tonumber(string.sub(member, 19, 21))
    local task = records().load(string.sub(member, 22), glen)
    if task then
      expire(task)
    end
    call('ZREM', P .. 'x', member)
  end
  may_be_left = #found == most
  return may_be_left
end

-- A task as it is now.
local function load(id, glen)
  local task = records().load(id, glen)
  if task then
    expire(task)
  end
  return task
end

-- The id that holds a key of a group, if it is another's than that of this tail.
local function holder(group, key, tail)
  local other = key and call('HGET', P .. 'u:' .. group, key)
  if not other or other == tail then
    return nil
  end
  local id = group .. '_' .. other
  if call('EXISTS', key_of(id)) == 0 and call('HEXISTS', P .. 'running', id) == 0 then
    return nil -- evicted, or removed by hand
  end
  if may_be_left == nil then
    sweep(100)
  end
  if may_be_left then
    load(id, #group)
  end
  return call('HEXISTS', P .. 'u:' .. group, key) == 1 and id or nil
end

-- ---- back to the queue

-- The request to cancel came first; only then does it matter whether the unique key is free.
local function go_back(task)
  local run = task.was
  if run.cancelling then
    return finish(task, 'c', REQUESTED)
  end
  local other = holder(task.group, task.options[UNIQUE], task.tail)
  if other then
    return finish(task, 'c', { 'superseded', other, '' })
  end
  queue().hold_key(task)
  records().save(task)
  if task.head[EXPIRES] ~= '' then
    call('ZADD', P .. 'x', 0, queue().expiry(task))
  end
  lines().enqueue(task)
end

-- As if it had not been claimed.
local function release(task, due)
  stop_running(task)
  if due ~= '' then
    task.head[DUE] = due
  end
  go_back(task)
end

-- Its worker died.
local function lose(task)
  local run = task.run
  local died = { 'worker died', 'worker ' .. run.worker .. ' died, or its lease ran out', '' }
  stop_running(task)
  records().note(task, 'lost', died)
  local head, options = task.head, task.options
  head[LOSSES] = head[LOSSES] + 1
  if not run.cancelling then
    if options[ON_LOST] == 'fail' then
      return finish(task, 'f', died)
    elseif options[ON_LOST] == 'keep' or head[LOSSES] >= options[MAX_LOST] then
      return finish(task, 'l', died)
    end
  end
  go_back(task)
end

-- Out of the store, from any state.
local function remove(task)
  local state = task.head[STATE]
  if task.run then
    stop_running(task)
    queue().free_key(task)
  elseif task.broken then
    -- Nobody knows where it lies; claims and purges drop what has no record.
  elseif state == 'q' then
    queue().dequeue(task)
    queue().free_key(task)
  else
    finished().unfile(state, task.group)
  end
  records().erase(task.id)
  count_group(task.group, -1)
  over(task.id)
end

-- A claim whose record was evicted, or removed by hand.
local function forget(id, run)
  local group = string.sub(id, 1, run.glen)
  leave_worker(id, group, run.worker)
  queue().recount_locks(group)
  records().erase(id)
  count_group(group, -1)
  over(id)
end

return {
  stop_running = stop_running,
  finish = finish,
  sweep = sweep,
  load = load,
  holder = holder,
  go_back = go_back,
  release = release,
  lose = lose,
  remove = remove,
  forget = forget,
}
