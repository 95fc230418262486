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

-- ---- the entry of a running task

local function read_run(entry)
  return {
    token = string.sub(entry, 1, 16),
    began = string.sub(entry, 17, 34),
    cancelling = string.sub(entry, 35, 35) == 'c',
    glen = tonumber(string.sub(entry, 36, 38)),
    due = string.sub(entry, 39, 56),
    worker = string.sub(entry, 57),
  }
end

-- ---- tasks

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
  local fine, offset, head = pcall(cmsgpack.unpack_one, raw, 1)
  if fine and type(head) == 'table' and head[TTL] then
    task.head, task.rest = head, string.sub(raw, offset + 1)
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

local function save(task, result)
  local head = task.head
  local raw = (result and '\147' or '\146') .. cmsgpack.pack(head) .. task.rest .. (result or '')
  if native and head[STATE] ~= 'q' then
    local gone = tonumber(head[DONE]) + head[TTL]
    call('SET', key_of(task.id), raw, 'PXAT', math.ceil(gone / 1000))
  else
    call('SET', key_of(task.id), raw)
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

local function mark_old(task)
  return task.head[STATE] .. string.format('%03d', task.glen) .. task.id
end

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
  read_run = read_run,
  task_of = task_of,
  load = load,
  save = save,
  lengthen = lengthen,
  mark_old = mark_old,
  limited = limited,
  note = note,
}
