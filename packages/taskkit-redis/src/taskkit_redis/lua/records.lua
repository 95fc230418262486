-- What is stored of a task.
--
-- A record is a MessagePack array: the head, which scripts read and write; the rest, which only
-- clients understand (name, data, labels …); and, once it has succeeded, the result. A task that
-- runs has an entry in the hash "running" beside it, so that a claim need not rewrite its record.

local STATE, OPTIONS, DUE, CREATED, PRIORITY, EXPIRES = 1, 2, 3, 4, 5, 6
local ATTEMPT, RETRIES, LOSSES, TTL = 7, 8, 9, 10
-- Absent until the first claim has ended.
local SETTLED, BEGAN, DONE, FAILURE, HISTORY = 11, 12, 13, 14, 15

-- What stands in OPTIONS; false there: all as in DEFAULTS, and it never expires.
local UNIQUE, SCOPE, LOCK, LOCK_LIMIT, ON_LOST, MAX_LOST, MAX_HISTORY = 1, 2, 3, 4, 5, 6, 7
local DEFAULTS = { false, 'queued', false, 1, 'retry', 3, 10 }

-- A record begins with two bytes of array headers; then come the state and the options, so that
-- both can be told without unpacking.
local NO_OPTIONS = 0xc2

local function state_of(raw)
  return string.sub(raw, 4, 4)
end

local function is_plain(raw)
  return string.byte(raw, 5) == NO_OPTIONS
end

local function key_of(id)
  return P .. 't:' .. id
end

-- ---- the entry of a running task

local function run_entry(token, glen, due, worker)
  return token .. now .. '-' .. glen .. due .. worker
end

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
    -- Not ours, or broken: kept as it is, so that a person can look at it.
    task.head = { 'q', false, run and run.due or now, now, '100', '', 0, 0, 0, 0 }
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
    call('SET', key_of(task.id), raw, 'PXAT', string.format('%.0f', math.ceil(gone / 1000)))
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
