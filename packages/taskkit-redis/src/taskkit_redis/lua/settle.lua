-- uses base records lines queue transitions
-- Running: whatever follows.
--
-- then of each settlement: id, length of its group's name, token, outcome, due (empty: unchanged),
-- failure and result, both packed
-- Answers 1 for each that stands.

local FIELDS, FIRST = 7, 3

local ids, keys = {}, {}
for place = FIRST, #ARGV, FIELDS do
  ids[#ids + 1] = ARGV[place]
  keys[#keys + 1] = key_of(ARGV[place])
end
local entries = read_all('HMGET', P .. 'running', ids)
local raws = read_all('MGET', nil, keys)

-- ---- plain successes, which nearly all are: written together

local ran, left, done, old, idle = {}, {}, {}, {}, {}

local function succeed_plainly(task, result)
  local head, run, group = records().lengthen(task.head), task.run, task.group
  head[SETTLED], head[BEGAN] = run.token .. 'succeed', run.began
  records().note(task, 'succeed')
  head[STATE], head[DONE] = 's', now
  records().save(task, result)
  ran[#ran + 1] = task.id
  local lefts, dones = left[run.worker] or {}, done[group] or {}
  left[run.worker], done[group] = lefts, dones
  lefts[#lefts + 1] = task.id
  dones[#dones + 1], dones[#dones + 2] = head[DUE], task.tail
  old[#old + 1] = string.format('%.0f', instant + head[TTL])
  old[#old + 1] = records().mark_old(task)
  idle[group] = (idle[group] or 0) + 1
  over(task.id)
end

local function write_together()
  many('HDEL', P .. 'running', ran)
  if call('EXISTS', P .. 'progress') == 1 then
    many('HDEL', P .. 'progress', ran)
  end
  for worker, members in pairs(left) do
    many('ZREM', P .. 'run:' .. worker, members)
  end
  for group, members in pairs(done) do
    many('ZADD', P .. 'f:s' .. group, members)
  end
  many('ZADD', P .. 'old', old)
  for group, by in pairs(idle) do
    if call('HINCRBY', P .. 'busy', group, -by) <= 0 then
      call('HDEL', P .. 'busy', group)
    end
    if records().limited(group) then
      wake(group)
    end
  end
end

-- ---- all others, one by one

local function discard(task)
  call('ZADD', P .. 'gone', task.run.token, task.id)
  transitions().remove(task)
end

local function retry(task, due, failure)
  transitions().stop_running(task)
  records().note(task, 'retry', failure)
  task.head[RETRIES] = task.head[RETRIES] + 1
  if due ~= '' then
    task.head[DUE] = due
  end
  transitions().go_back(task)
end

local function finally(task, outcome, failure, result)
  local cancelled = task.run.cancelling or outcome == 'cancel'
  transitions().stop_running(task)
  records().note(task, outcome, outcome ~= 'succeed' and failure or false)
  if cancelled then
    transitions().finish(task, 'c', REQUESTED)
  elseif outcome == 'succeed' then
    transitions().finish(task, 's', false, result)
  else
    transitions().finish(task, 'f', failure)
  end
end

local function apply(task, outcome, due, packed, result)
  if outcome == 'succeed' and task.options == DEFAULTS and not task.run.cancelling then
    return succeed_plainly(task, result)
  end
  local failure = packed ~= '' and cmsgpack.unpack(packed) or false
  task.outcome = outcome
  if outcome == 'discard' then
    discard(task)
  elseif outcome == 'release' then
    transitions().release(task, due)
  elseif outcome == 'lose' then
    transitions().lose(task)
  elseif outcome == 'retry' then
    retry(task, due, failure)
  else
    finally(task, outcome, failure, result)
  end
end

-- Whether a settlement that ended its claim earlier is told again.
local function repeated(task, id, token, outcome)
  if task and task.head[SETTLED] == token .. outcome then
    return true
  end
  if outcome ~= 'discard' then
    return false
  end
  local gone = call('ZSCORE', P .. 'gone', id)
  return gone and tonumber(gone) == tonumber(token)
end

local answers, met = {}, {}
for index, id in ipairs(ids) do
  local place = FIRST + (index - 1) * FIELDS
  local token, outcome = ARGV[place + 2], ARGV[place + 3]
  local task = met[id]
  if task == nil then
    local raw, entry = raws[index], entries[index]
    task = raw and records().task_of(id, tonumber(ARGV[place + 1]), raw, entry and records().read_run(entry))
    met[id] = task or false
  end
  if task and task.run and task.run.token == token then
    apply(task, outcome, resolve(ARGV[place + 4]), ARGV[place + 5], ARGV[place + 6])
    task.run = nil
    if outcome == 'discard' then
      met[id] = false
    end
    answers[index] = 1
  else
    answers[index] = repeated(task, id, token, outcome) and 1 or 0
  end
end
write_together()
tell()
return answers
