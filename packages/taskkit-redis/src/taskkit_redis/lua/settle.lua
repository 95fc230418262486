-- uses base records lines queue finished transitions
-- Running: whatever follows.
--
-- ARGV[3]  "succeed": all of them succeed, and their ids are ASCII; of each follows only: id, token
--          (empty: as the one before), result (packed). Empty: whatever they are
-- then of each settlement: id, length of its group's name, token, outcome, due (empty: unchanged),
-- failure and result, both packed
-- Answers 1 if all stand; else a list, 1 for each that does.

local all_succeed = ARGV[3] == 'succeed'
local FIELDS, FIRST, TAIL = all_succeed and 3 or 7, 4, 33

-- Places are counted: # looks for the end of a table anew each time.
local ids, size = {}, 0
for place = FIRST, #ARGV, FIELDS do
  size = size + 1
  ids[size] = ARGV[place]
end
local entries = read_all('HMGET', P .. 'running', ids)

-- ---- untouched tasks that succeed, which nearly all do: written together

local is_watched = call('EXISTS', P .. 'watched') == 1
local UNTOUCHED = 0x92

-- What the entries of one claim and group have in common, by the bytes that they begin with (see
-- records): whether somebody asked to cancel is one of them. `done` are those that have succeeded.
local crowds = {}

local function crowd_of(entry)
  local front = string.sub(entry, 1, 41)
  local crowd = crowds[front]
  if not crowd then
    local worker = string.sub(entry, 42, 41 + tonumber(string.sub(entry, 39, 41)))
    local token = string.sub(entry, 1, 16)
    crowd = {
      token = string.byte(entry, 35) == 0x2d and token or nil,
      worker = worker,
      glen = tonumber(string.sub(entry, 36, 38)),
      behind = 42 + #worker,
      story = '\147\149\161s\176' .. token .. '\178' .. string.sub(entry, 17, 34) .. '\178' .. now
        .. cmsgpack.pack(worker),
      done = {},
      size = 0,
    }
    crowds[front] = crowd
  end
  return crowd
end

-- What is finished of a group, by the nine bytes from where a ttl begins (none takes more): when it is
-- gone, as text, because Redis makes one of a number each time; the tails, that with the smallest due
-- in the first place.
local batches = {}

local function batch_of(raw, group)
  local name = string.sub(raw, 52, 60) .. group
  local batch = batches[name]
  if not batch then
    local _, ttl = cmsgpack.unpack_one(raw, 51)
    batch = {
      group = group,
      gone = string.format('%.0f', instant + ttl),
      expiry = string.format('%.0f', math.ceil((instant + ttl) / 1000)),
      tails = {},
      size = 0,
    }
    batches[name] = batch
  end
  return batch
end

local function add_to(batch, tail, due)
  local tails, at = batch.tails, batch.size + 1
  batch.size = at
  if not batch.due or due < batch.due then
    batch.due = due
    tails[1], tails[at] = tail, tails[1]
    if at == 1 then
      tails[1] = tail
    end
  else
    tails[at] = tail
  end
end

-- An untouched task has succeeded in its first attempt; false: its record is gone.
local function succeed_plainly(crowd, id, raw, result)
  local batch = batch_of(raw, string.sub(id, 1, crowd.glen))
  local record = crowd.story .. raw .. result
  local is_there
  if native then
    is_there = call('SET', key_of(id), record, 'XX', 'PXAT', batch.expiry)
  else
    is_there = call('SET', key_of(id), record, 'XX')
  end
  if not is_there then
    return false
  end
  add_to(batch, string.sub(id, crowd.glen + 2), string.sub(raw, 7, 24))
  crowd.size = crowd.size + 1
  crowd.done[crowd.size] = id
  if is_watched then
    over(id)
  end
  return true
end

local function write_together()
  local has_progress = call('EXISTS', P .. 'progress') == 1
  for _, crowd in pairs(crowds) do
    many('HDEL', P .. 'running', crowd.done)
    many('SREM', P .. 'run:' .. crowd.worker, crowd.done)
    if has_progress then
      many('HDEL', P .. 'progress', crowd.done)
    end
  end
  for _, batch in pairs(batches) do
    if batch.size > 0 then
      local group = batch.group
      finished().file('s', group, batch.gone, batch.due, batch.tails)
      if call('HINCRBY', P .. 'busy', group, -batch.size) <= 0 then
        call('HDEL', P .. 'busy', group)
      end
      if records().limited(group) then
        wake(group)
      end
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
local function settle(task, id, place, token, outcome)
  if task and task.run and task.run.token == token then
    if all_succeed then
      apply(task, outcome, '', '', ARGV[place + 2])
    else
      apply(task, outcome, resolve(ARGV[place + 4]), ARGV[place + 5], ARGV[place + 6])
    end
    task.run = nil
    return true
  end
  return repeated(task, id, token, outcome)
end

local answers, met, succeeded = {}, {}, {}
local stand, token = 0, nil
for index = 1, size do
  local id, entry = ids[index], entries[index]
  local place = FIRST + (index - 1) * FIELDS
  local outcome = 'succeed'
  if all_succeed then
    token = ARGV[place + 1] ~= '' and ARGV[place + 1] or token
  else
    token, outcome = ARGV[place + 2], ARGV[place + 3]
  end
  local answer = false
  local crowd = entry and outcome == 'succeed' and crowd_of(entry)
  if succeeded[id] then
    -- The same task again, in the same batch.
    answer = outcome == 'succeed' and succeeded[id] == token
  elseif
    crowd
    and crowd.token == token
    and met[id] == nil
    and string.byte(entry, crowd.behind) == UNTOUCHED
  then
    local raw = string.sub(entry, crowd.behind)
    if succeed_plainly(crowd, id, raw, ARGV[place + FIELDS - 1]) then
      succeeded[id] = token
      answer = true
    end
  else
    local task = met[id]
    if task == nil then
      local raw = call('GET', key_of(id))
      local glen = all_succeed and #id - TAIL or tonumber(ARGV[place + 1])
      task = raw and records().task_of(id, glen, raw, entry and records().read_run(entry))
      met[id] = task or false
    end
    answer = settle(task, id, place, token, outcome)
    if outcome == 'discard' and answer then
      met[id] = false
    end
  end
  answers[index] = answer and 1 or 0
  stand = stand + answers[index]
end
write_together()
tell()
return stand == size and 1 or answers
