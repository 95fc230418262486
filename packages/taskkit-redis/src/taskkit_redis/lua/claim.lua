-- uses base records lines queue finished transitions
-- Queued: running.
--
-- ARGV[3]  worker
-- ARGV[4]  how many wants follow, each as name and number
-- then the groups that are excluded
-- Answers: now, 1 if the worker is alive, 1 if there is more work than one script should do at once,
-- when something more becomes claimable by itself (or empty), for each want the number of its claims,
-- the token of them all (empty: there are none), and a list: of each claim, id and record.
--
-- What a claim looks at leaves the line: it is given, or parked, or it waits again. So the lines are
-- cut from their beginning, and nothing is passed over twice.

local BUDGET = 2000

local worker = ARGV[3]
local expires = call('HGET', P .. 'worker:' .. worker, 'expires')
if not expires or expires <= now then
  return { now, 0, 0, '' }
end

local wants, shut = {}, {}
local names = {}
local count = tonumber(ARGV[4])
for place = 5, 3 + 2 * count, 2 do
  names[#names + 1] = ARGV[place]
  wants[ARGV[place]] = tonumber(ARGV[place + 1])
end
for place = 5 + 2 * count, #ARGV do
  shut[ARGV[place]] = true
end

local is_special = call('EXISTS', P .. 'x', P .. 'limits', P .. 'pauses') > 0
if is_special and transitions().sweep(500) then
  local nothing = { now, 1, 1, '' }
  for place = 1, count do
    nothing[4 + place] = 0
  end
  nothing[5 + count], nothing[6 + count] = '', {}
  tell()
  return nothing
end
if native and call('ZRANGEBYSCORE', P .. 'old', '-inf', instant, 'LIMIT', 0, 1)[1] then
  finished().trim(64)
end
-- Of what was swept. Of what this claim itself lets into lines nobody has to be told: whoever sleeps
-- knows when it is due.
tell()

local limits = {}
if is_special then
  local found = call('HGETALL', P .. 'limits')
  for place = 1, #found, 2 do
    local running, most, period = string.match(found[place + 1], '^([^|]*)|([^|]*)|([^|]*)|')
    limits[found[place]] =
      { running = tonumber(running), rate = tonumber(most), period = tonumber(period) }
  end
end
local pauses = {}
if is_special then
  local found = call('HGETALL', P .. 'pauses')
  for place = 1, #found, 2 do
    if found[place + 1] == '' or found[place + 1] > now then
      pauses[found[place]] = found[place + 1]
    end
  end
end

local examined, more = 0, false
local soonest = nil

local function comes(at)
  if at > now and (not soonest or at < soonest) then
    soonest = at
  end
end

-- ---- which groups

-- Whether a group may be served under a want; if it is only paused, this says until when.
local function permits(group, want)
  if shut['*'] then
    return false
  end
  local paused = pauses['*']
  local owner = nil
  for _, name in ipairs(lines().lineage(group)) do
    if shut[name] then
      return false
    end
    if not owner and wants[name] then
      owner = name
    end
    local until_then = pauses[name]
    if until_then and (not paused or (paused ~= '' and until_then > paused)) then
      paused = until_then
    elseif until_then == '' then
      paused = ''
    end
  end
  return owner == want, paused
end

-- How many of a group may run beside those that do, as its limits say; nil: any number.
local function room_of(group)
  local limit = limits[group]
  if not limit then
    return nil
  end
  local room = nil
  if limit.running then
    room = math.max(0, limit.running - tonumber(call('HGET', P .. 'busy', group) or '0'))
  end
  if limit.rate then
    local key = P .. 'starts:' .. group
    local newest = call('LINDEX', key, -1)
    if newest and newest > now then
      -- The clock was set back: what began in the future began by now.
      local starts = call('LRANGE', key, 0, -1)
      for place, at in ipairs(starts) do
        starts[place] = at > now and now or at
      end
      call('DEL', key)
      many('RPUSH', key, starts)
    end
    local since = stamp(instant - limit.period)
    local recent = call('LRANGE', key, -limit.rate, -1)
    local free = limit.rate
    for _, at in ipairs(recent) do
      if at > since then
        free = free - 1
      end
    end
    if free <= 0 then
      comes(stamp(tonumber(recent[1]) + limit.period))
    end
    room = math.min(room or free, math.max(free, 0))
  end
  return room
end

-- ---- what waits and has become due

local function promote(want)
  while examined < BUDGET do
    local groups = call('ZRANGEBYSCORE', P .. 'z:' .. want, '-inf', instant, 'LIMIT', 0, 100)
    if #groups == 0 then
      return
    end
    for _, group in ipairs(groups) do
      local key = P .. 'w:' .. group
      local due = call('ZRANGEBYLEX', key, '-', '(' .. now .. END, 'LIMIT', 0, 1000)
      local members = {}
      for _, member in ipairs(due) do
        members[#members + 1] = 0
        members[#members + 1] = string.sub(member, 19, 21)
          .. string.sub(member, 1, 18)
          .. string.sub(member, 22)
      end
      if #due > 0 then
        call('ZREMRANGEBYRANK', key, 0, #due - 1)
        lines().enter_ready(group, members)
      end
      examined = examined + #due + 1
      lines().settle_alarm(group)
      if #due == 0 then
        -- The score of an instant that a number cannot hold exactly: it is not due yet.
        call('ZADD', P .. 'z:' .. want, string.format('%.0f', instant + 1), group)
      end
    end
  end
  more = true
end

-- ---- which tasks

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
    call('ZREM', P .. 'ids', id)
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

-- ---- in whose turn

-- Up to `most` groups of a want that may be served, with their rooms, in the order of their turns.
local function in_line(want, most)
  local found, from = {}, 0
  local size = math.max(most, 20)
  while #found < most do
    local page = call('ZRANGE', P .. 'v:' .. want, from, from + size - 1)
    for _, group in ipairs(page) do
      local permitted, paused = permits(group, want)
      if permitted and not paused then
        local room = room_of(group)
        if room ~= 0 then
          found[#found + 1] = { name = group, room = room or math.huge }
        end
      end
    end
    from = from + #page
    if #page < size then
      break
    end
  end
  return found
end

local function serve(want, most)
  local got = 0
  promote(want)
  if more then
    return 0
  end
  while got < most and examined < BUDGET do
    local line = in_line(want, most - got)
    if #line == 0 then
      break
    end
    local share = math.max(1, math.floor((most - got) / #line))
    for _, group in ipairs(line) do
      if got >= most then
        break
      end
      local taken, empty = take(group.name, math.min(share, group.room, most - got))
      got = got + taken
      if taken > 0 then
        if limits[group.name] then
          -- Written at once: the next round asks again how much room there is.
          local starts = {}
          for place = 1, taken do
            starts[place] = now
          end
          call('HINCRBY', P .. 'busy', group.name, taken)
          busy[group.name] = busy[group.name] - taken
          if limits[group.name].rate then
            many('RPUSH', P .. 'starts:' .. group.name, starts)
            local kept = math.max(limits[group.name].rate, 1000)
            call('LTRIM', P .. 'starts:' .. group.name, -kept, -1)
          end
        end
        if #line > 1 or not empty then
          call('ZADD', P .. 'v:' .. want, 'XX', call('INCR', P .. 'turn'), group.name)
        end
      end
      if empty then
        lines().settle_ring(group.name)
      end
    end
  end
  return got
end

-- ---- when to come back

local function look_ahead(want)
  for name, until_then in pairs(pauses) do
    if until_then ~= '' then
      local under = name == '*'
      for _, above in ipairs(lines().lineage(want)) do
        under = under or above == name
      end
      for _, above in ipairs(lines().lineage(name)) do
        under = under or above == want
      end
      if under then
        comes(until_then)
      end
    end
  end
  local from = 0
  while true do
    local page = call('ZRANGE', P .. 'z:' .. want, from, from + 9)
    for _, group in ipairs(page) do
      local permitted, paused = permits(group, want)
      if permitted and paused ~= '' then
        local first = call('ZRANGE', P .. 'w:' .. group, 0, 0)[1]
        if first then
          local due = string.sub(first, 1, 18)
          comes(paused and paused > due and paused or due)
          return
        end
      end
    end
    from = from + #page
    if #page < 10 then
      return
    end
  end
end

local numbers = {}
for _, want in ipairs(names) do
  local got = 0
  if wants[want] > 0 then
    got = serve(want, wants[want])
    look_ahead(want)
  end
  numbers[#numbers + 1] = got
end

if #runs > 0 then
  call('SET', P .. 'token', string.format('%.0f', token))
  many('HSET', P .. 'running', runs)
  many('SADD', P .. 'run:' .. worker, mine)
  call('SADD', P .. 'runners', worker)
  for group, by in pairs(busy) do
    if by > 0 then
      call('HINCRBY', P .. 'busy', group, by)
    end
  end
end

local answer = { now, 1, more and 1 or 0, soonest or '' }
for _, got in ipairs(numbers) do
  answer[#answer + 1] = got
end
answer[#answer + 1] = given > 0 and string.format('%.0f', token) or ''
answer[#answer + 1] = claims
return answer
