-- uses base records lines queue finished transitions
-- A worker is alive: its lease is renewed, and both sides say what they know.
--
-- ARGV[3]  id
-- ARGV[4]  lease, in microseconds
-- ARGV[5]  1: this is its home; else the home has said that it lives
-- ARGV[6]  how many claims it holds, followed by id and token of each
-- then id and report of what has made progress
-- Answers 0 if it does not live; else 1, what is to be cancelled, what is void, the pauses, the
-- groups that it is to stop serving, and the other partitions in which it has claimed.

local worker, key = ARGV[3], P .. 'worker:' .. ARGV[3]
local known = call('HMGET', key, 'expires', 'mark', 'stopped')
if ARGV[5] == '1' and (not known[1] or known[1] <= now) then
  return { 0 }
end
if not known[1] then
  -- Its copy was removed here with all that it ran here. It may claim again.
  known = { now, '0', '' }
  call('HSET', key, 'registered', now, 'info', '', 'stopped', '')
end
local expires = stamp(instant + tonumber(ARGV[4]))
if expires < known[1] then
  expires = known[1]
end
call('HSET', key, 'expires', expires, 'mark', call('GET', P .. 'token') or '0')
call('ZADD', P .. 'workers', expires, worker)

local ids, tokens = {}, {}
local upto = 6 + 2 * tonumber(ARGV[6])
for place = 7, upto, 2 do
  ids[#ids + 1] = ARGV[place]
  tokens[ARGV[place]] = ARGV[place + 1]
end

-- Tokens instead of instants tell what came before the previous heartbeat: a clock that is set back
-- cannot confuse them.
local mark = string.format('%016.0f', known[2])
local mine = call('SMEMBERS', P .. 'run:' .. worker)
for place, entry in ipairs(read_all('HMGET', P .. 'running', mine)) do
  local id, token = mine[place], string.sub(entry or '', 1, 16)
  if not entry then
    call('SREM', P .. 'run:' .. worker, id)
  elseif token <= mark and tokens[id] ~= token then
    local run = records().read_run(entry)
    local task = records().load(id, run.glen)
    if task then
      transitions().release(task, '')
    else
      transitions().forget(id, run)
    end
  end
end

local entries = read_all('HMGET', P .. 'running', ids)
local cancelled, void = {}, {}
for place, id in ipairs(ids) do
  local run = entries[place] and records().read_run(entries[place])
  if run and run.token == tokens[id] and run.worker == worker then
    if run.cancelling then
      cancelled[#cancelled + 1] = id
    end
  else
    local raw = call('GET', key_of(id))
    local settled = raw and records().task_of(id, 0, raw).head[SETTLED] or ''
    -- What it has settled itself meanwhile was not taken from it.
    if string.sub(settled, 1, 16) ~= tokens[id] or #settled == 16 then
      void[#void + 1] = id
    end
  end
end

for place = upto + 1, #ARGV, 2 do
  local entry = call('HGET', P .. 'running', ARGV[place])
  if entry and records().read_run(entry).worker == worker then
    call('HSET', P .. 'progress', ARGV[place], ARGV[place + 1])
  end
end

local paused = {}
local pauses = call('HGETALL', P .. 'pauses')
for place = 1, #pauses, 2 do
  if pauses[place + 1] == '' or pauses[place + 1] > now then
    paused[#paused + 1] = pauses[place]
  end
end
tell()
return { 1, cancelled, void, paused, known[3], call('SMEMBERS', P .. 'attended:' .. worker) }
