-- uses base records finished
-- ARGV[3]  1: all groups; else those that follow
-- Answers, for each group and state that has any: group, state, how many, the smallest due.
--
-- A line is sorted by class (priority; in the parking, lock and limit before it), then due. So the
-- due and the others of a class are counted, and their first ones found, in a few steps of
-- O(log n), however long the line is.

local answer = {}

local function say(group, state, count, due)
  if count > 0 then
    local size = #answer
    answer[size + 1], answer[size + 2], answer[size + 3] = group, state, count
    answer[size + 4] = due
  end
end

local function least(one, two)
  return one and (not two or one < two) and one or two
end

-- Count a line into a tally of what is due and what is not; `class_of` cuts the class off a member.
local function tally(key, class_of, sums)
  local from = '-'
  while true do
    local first = call('ZRANGEBYLEX', key, from, '+', 'LIMIT', 0, 1)[1]
    if not first then
      return
    end
    local class = class_of(first)
    local width = #class
    local low, high = '[' .. class, '(' .. class .. END
    local edge = class .. now .. END
    local due = call('ZLEXCOUNT', key, low, '(' .. edge)
    local all = call('ZLEXCOUNT', key, low, high)
    if due > 0 then
      sums.due = sums.due + due
      sums.oldest = least(string.sub(first, width + 1, width + 18), sums.oldest)
    end
    if all > due then
      sums.later = sums.later + all - due
      local next_one = call('ZRANGEBYLEX', key, '(' .. edge, high, 'LIMIT', 0, 1)[1]
      sums.soonest = least(string.sub(next_one, width + 1, width + 18), sums.soonest)
    end
    from = high
  end
end

local function by_priority(member)
  return string.sub(member, 1, 3)
end

local function by_lock(member)
  return string.sub(member, 1, string.find(member, '\0', 1, true) + 8)
end

local function by_nothing()
  return ''
end

local function count_unclaimed(group)
  local sums = { due = 0, later = 0 }
  tally(P .. 'q:' .. group, by_priority, sums)
  tally(P .. 'w:' .. group, by_nothing, sums)
  tally(P .. 'k:' .. group, by_lock, sums)
  say(group, 'queued', sums.due, sums.oldest)
  say(group, 'waiting', sums.later, sums.soonest)
end

local running = {}
local entries = call('HGETALL', P .. 'running')
for place = 1, #entries, 2 do
  local run = records().read_run(entries[place + 1])
  local group = string.sub(entries[place], 1, run.glen)
  local sum = running[group] or { 0 }
  running[group] = sum
  sum[1], sum[2] = sum[1] + 1, least(run.due, sum[2])
end

local NAMES = { s = 'succeeded', f = 'failed', l = 'lost', c = 'cancelled' }

-- Whether that could be said at once.
local function count_finished(group)
  for letter, name in pairs(NAMES) do
    local due = finished().oldest(letter, group)
    if due == nil then
      return false
    elseif due then
      say(group, name, tonumber(call('HGET', P .. 'finished', letter .. group)), due)
    end
  end
  return true
end

if native then
  local _, more = finished().trim(1000)
  if more then
    return false
  end
end
local groups = {}
if ARGV[3] == '1' then
  groups = call('HKEYS', P .. 'groups')
else
  for place = 4, #ARGV do
    groups[#groups + 1] = ARGV[place]
  end
end
for _, group in ipairs(groups) do
  count_unclaimed(group)
  if running[group] then
    say(group, 'running', unpack(running[group]))
  end
  if not count_finished(group) then
    return false
  end
end
return answer
