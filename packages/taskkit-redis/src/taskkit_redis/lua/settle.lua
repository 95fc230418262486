-- uses base records lines queue transitions
-- Running: whatever follows.
--
-- then of each settlement: id, length of its group's name, token, outcome, due (empty: unchanged),
-- failure and result, both packed
-- Answers 1 for each that stands.

local FIELDS, FIRST = 7, 3

-- Places are counted: # looks for the end of a table anew each time.
local ids, keys, size = {}, {}, 0
for place = FIRST, #ARGV, FIELDS do
  size = size + 1
  ids[size], keys[size] = ARGV[place], key_of(ARGV[place])
end
local entries = read_all('HMGET', P .. 'running', ids)
local raws = read_all('MGET', nil, keys)

-- ---- plain successes, which nearly all are: written together

local ran, left, done, old, idle = {}, {}, {}, {}, {}
local times_over = 0
local is_watched = call('EXISTS', P .. 'watched') == 1

-- Whether a record is as put by new_record, without options, and was not changed since. By bytes: a
-- string that is cut out has to be made first.
local function is_untouched(raw)
  local outer, head, _, state, options = string.byte(raw, 1, 5)
  local expires, attempt, retries, losses = string.byte(raw, 48, 51)
  return outer == 0x92 and head == 0x9a and state == 0x71 and options == NO_OPTIONS
    and expires == 0xa0 and attempt == 0 and retries == 0 and losses == 0
end

-- Whether an entry (see records) is of this token and nobody asked to cancel it.
local function is_held(entry, token)
  return string.byte(entry, 35) == 0x2d and string.find(entry, token, 1, true) == 1
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

local function succeed_plainly(id, key, glen, entry, raw, token, result)
  local worker = string.sub(entry, 57)
  local record, ttl = first_success(raw, token, string.sub(entry, 17, 34), worker, result)
  local gone = instant + ttl
  if native then
    call('SET', key, record, 'PXAT', math.ceil(gone / 1000))
  else
    call('SET', key, record)
  end
  local group = string.sub(id, 1, glen)
  local lefts, dones = lines_of(left, worker), lines_of(done, group)
  local count = (idle[group] or 0) + 1
  idle[group] = count
  times_over = times_over + 1
  ran[times_over] = id
  lefts[#lefts + 1] = id
  dones[2 * count - 1], dones[2 * count] = string.sub(raw, 7, 24), string.sub(id, glen + 2)
  old[2 * times_over - 1], old[2 * times_over] = gone, 's' .. string.sub(entry, 36, 38) .. id
  if is_watched then
    over(id)
  end
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

local answers, met, succeeded = {}, {}, {}
for index, id in ipairs(ids) do
  local place = FIRST + (index - 1) * FIELDS
  local token, outcome = ARGV[place + 2], ARGV[place + 3]
  local raw, entry, glen = raws[index], entries[index], tonumber(ARGV[place + 1])
  local task = met[id]
  if
    task == nil
    and outcome == 'succeed'
    and entry
    and is_held(entry, token)
    and raw
    and is_untouched(raw)
    and not succeeded[id]
  then
    succeed_plainly(id, keys[index], glen, entry, raw, token, ARGV[place + 6])
    succeeded[id] = token
    answers[index] = 1
  elseif succeeded[id] then
    -- The same task again, in the same batch.
    answers[index] = (outcome == 'succeed' and succeeded[id] == token) and 1 or 0
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
