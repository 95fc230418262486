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

-- part permission
-- part ripening
-- part taking
-- part turns
-- part ahead

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
