-- What is stored of a task.
--
-- A record is a MessagePack array: the head, which scripts read and write; the rest, which only
-- clients understand (name, data, labels …); and, once it has succeeded, the result. A task that
-- runs has an entry in the hash "running" beside it, so that a claim need not rewrite its record.
--
-- Nearly all tasks have no options, are claimed once, and succeed. Their records are put together
-- from text, three times as fast as by packing: those are the only two places that know the bytes.
-- The head of a task that was never claimed is:
--
--   byte   1  array of 2      2  array of 10    3  "q"          5  false, or its options, packed
--   and without options       6  due           25  created     44  priority
--                            48  expires: ""   49  attempt, retries, losses: 0, 0, 0
--                            52  ttl
--
-- If it succeeds then, its record becomes an array of three: "s", token, when it began and when it was
-- done, and its worker, as one array; the record as it was; the result. So nothing of it is read.

-- ---- the entry of a running task
--
--   byte   1  token   17  began   35  "c" if it is to be cancelled, else "-"
--         36  length of the group's name      39  length of the worker's id     42  worker
--   and behind it the record, if that is untouched and short; else the due

local UNTOUCHED = 0x92
local SHORT = 1000

local function read_run(entry)
  local behind = 42 + tonumber(string.sub(entry, 39, 41))
  local has_record = string.byte(entry, behind) == UNTOUCHED
  local due = has_record and behind + 6 or behind
  return {
    token = string.sub(entry, 1, 16),
    began = string.sub(entry, 17, 34),
    cancelling = string.sub(entry, 35, 35) == 'c',
    glen = tonumber(string.sub(entry, 36, 38)),
    worker = string.sub(entry, 42, behind - 1),
    due = string.sub(entry, due, due + 17),
  }
end

-- ---- tasks

local SUCCEEDED = 0x95

-- The head of a record, and all that is behind it.
local function read_record(raw)
  local outcome = nil
  if string.byte(raw, 2) == SUCCEEDED then
    local offset
    offset, outcome = cmsgpack.unpack_one(raw, 1)
    raw = string.sub(raw, offset + 1)
  end
  local offset, head = cmsgpack.unpack_one(raw, 1)
  if outcome then
    local state, token, began, done, worker = unpack(outcome)
    head[STATE], head[ATTEMPT] = state, 1
    head[SETTLED], head[BEGAN], head[DONE], head[FAILURE] = token .. 'succeed', began, done, false
    head[HISTORY] = { { 1, began, done, worker, 'succeed', false } }
  end
  return head, string.sub(raw, offset + 1)
end

-- `glen` is how many bytes of the id are the group's name; the underscore after it belongs to
-- neither.
local function task_of(id, glen, raw, run)
  local task = {
    id = id,
    glen = glen,
    group = string.sub(id, 1, glen),
    tail = string.sub(id, glen + 2),
    run = run,
  }
  local fine, head, rest = pcall(read_record, raw)
  if fine and type(head) == 'table' and head[TTL] then
    task.head, task.rest = head, rest
  else
    -- Not ours, or broken: kept as it is for a week, so that a person can look at it.
    local due = run and run.due or now
    task.head = { 'q', false, due, now, '100', '', 0, 0, 0, 604800000000 }
    task.rest = '\198' .. struct.pack('>I4', #raw) .. raw
    task.broken = true
  end
  task.options = task.head[OPTIONS] or DEFAULTS
  return task
end

local function load(id, glen)
  local raw = call('GET', key_of(id))
  if not raw then
    return nil
  end
  local entry = call('HGET', P .. 'running', id)
  return task_of(id, glen, raw, entry and read_run(entry))
end

-- ---- tasks that were requeued: their ids are in the set "again"
--
-- Such a task lies in the batches of all its ends (see finished), and only its record tells in which
-- of them it is counted. So the server may not remove that by itself; trim does. There are few of
-- them: each script asks once whether there are any.

local are_some_again = nil

local function some_again()
  if are_some_again == nil then
    are_some_again = call('EXISTS', P .. 'again') == 1
  end
  return are_some_again
end

local function mark_again(id)
  call('SADD', P .. 'again', id)
  are_some_again = true
end

local function is_again(id)
  return some_again() and call('SISMEMBER', P .. 'again', id) == 1
end

-- ---- written and erased

local function save(task, result)
  local head = task.head
  local raw = (result and '\147' or '\146') .. cmsgpack.pack(head) .. task.rest .. (result or '')
  if native and head[STATE] ~= 'q' and not is_again(task.id) then
    local gone = tonumber(head[DONE]) + head[TTL]
    call('SET', key_of(task.id), raw, 'PXAT', math.ceil(gone / 1000))
  else
    call('SET', key_of(task.id), raw)
  end
end

local function erase(id)
  call('DEL', key_of(id))
  call('ZREM', P .. 'ids', id)
  if some_again() then
    call('SREM', P .. 'again', id)
  end
end

-- The fields that a head gets when its first claim has ended, or when it is finished unclaimed.
local function lengthen(head)
  if not head[SETTLED] then
    head[SETTLED], head[BEGAN], head[DONE], head[FAILURE], head[HISTORY] = '', '', '', false, {}
  end
  return head
end

-- ---- what else is known of it

local function limited(group)
  local limits = call('HGET', P .. 'limits', group)
  return limits and string.sub(limits, 1, 1) ~= '|'
end

-- Write an ended attempt into the history.
local function note(task, outcome, failure)
  local head, run = task.head, task.run or task.was
  lengthen(head)
  head[ATTEMPT] = head[ATTEMPT] + 1
  local most = task.options[MAX_HISTORY]
  local history = head[HISTORY]
  if most == 0 then
    return
  end
  history[#history + 1] = { head[ATTEMPT], run.began, now, run.worker, outcome, failure or false }
  while #history > most do
    table.remove(history, 1)
  end
end

return {
  SHORT = SHORT,
  UNTOUCHED = UNTOUCHED,
  read_run = read_run,
  task_of = task_of,
  load = load,
  mark_again = mark_again,
  save = save,
  erase = erase,
  lengthen = lengthen,
  limited = limited,
  note = note,
}
