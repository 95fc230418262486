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

-- Whether a record is as put by new_record, without options, and was not changed since.
local function is_untouched(raw)
  return string.sub(raw, 1, 5) == '\146\154\161q\194' and string.sub(raw, 48, 51) == '\160\0\0\0'
end

local packed_workers = {}

-- The record of an untouched task that has succeeded in its first attempt, and its ttl.
local function first_success(raw, token, began, worker, result)
  local offset, ttl = cmsgpack.unpack_one(raw, 51)
  local who = packed_workers[worker]
  if not who then
    who = cmsgpack.pack(worker)
    packed_workers[worker] = who
  end
  local times = '\178' .. began .. '\178' .. now
  return '\147\159\161s' .. string.sub(raw, 5, 48) .. '\1' .. string.sub(raw, 50, offset)
    .. '\183' .. token .. 'succeed' .. times .. '\194\145\150\1' .. times .. who .. '\167succeed\194'
    .. string.sub(raw, offset + 1) .. result, ttl
end

local function lines_of(lines, name)
  local found = lines[name] or {}
  lines[name] = found
  return found
end

local function succeed_plainly(id, glen, entry, raw, token, result)
  local worker = string.sub(entry, 57)
  local record, ttl = first_success(raw, token, string.sub(entry, 17, 34), worker, result)
  local gone = instant + ttl
  if native then
    call('SET', key_of(id), record, 'PXAT', math.ceil(gone / 1000))
  else
    call('SET', key_of(id), record)
  end
  local group = string.sub(id, 1, glen)
  local lefts, dones = lines_of(left, worker), lines_of(done, group)
  ran[#ran + 1] = id
  lefts[#lefts + 1] = id
  dones[#dones + 1], dones[#dones + 2] = string.sub(raw, 7, 24), string.sub(id, glen + 2)
  old[#old + 1], old[#old + 2] = gone, 's' .. string.sub(entry, 36, 38) .. id
  idle[group] = (idle[group] or 0) + 1
  over(id)
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

-- Settle one of which more than a glance is needed; return whether it stands.
local function settle(task, id, place)
  local token, outcome = ARGV[place + 2], ARGV[place + 3]
  if task and task.run and task.run.token == token then
    apply(task, outcome, resolve(ARGV[place + 4]), ARGV[place + 5], ARGV[place + 6])
    task.run = nil
    return true
  end
  return repeated(task, id, token, outcome)
end

local answers, met = {}, {}
for index, id in ipairs(ids) do
  local place = FIRST + (index - 1) * FIELDS
  local token, outcome = ARGV[place + 2], ARGV[place + 3]
  local raw, entry, glen = raws[index], entries[index], tonumber(ARGV[place + 1])
  local task = met[id]
  if
    task == nil
    and outcome == 'succeed'
    and entry
    and string.sub(entry, 1, 16) == token
    and string.sub(entry, 35, 35) == '-'
    and raw
    and is_untouched(raw)
  then
    succeed_plainly(id, glen, entry, raw, token, ARGV[place + 6])
    met[id] = { head = { [SETTLED] = token .. outcome } }
    answers[index] = 1
  else
    if task == nil then
      task = raw and records().task_of(id, glen, raw, entry and records().read_run(entry))
      met[id] = task or false
    end
    answers[index] = settle(task, id, place) and 1 or 0
    if outcome == 'discard' and answers[index] == 1 then
      met[id] = false
    end
  end
end
write_together()
tell()
return answers
