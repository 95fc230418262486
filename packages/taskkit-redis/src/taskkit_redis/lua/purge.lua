-- uses base records lines queue transitions
-- Finished: absent.
--
-- ARGV[3]  at most so many
-- ARGV[4]  1: those whose time is over; and what has expired is cancelled
-- ARGV[5]  else: of these states, one letter each
-- ARGV[6]  done at this instant or before (empty: whenever)
-- ARGV[7]  where to go on looking (empty: at the beginning)
-- Answers how many were removed, and where to go on (empty: that was all).
--
-- One script looks at no more than a thousand tasks, so that nobody waits for long.

local SPAN_OF_ONE = 1000
local DAY = 86400000000
local most = math.min(tonumber(ARGV[3]), SPAN_OF_ONE)

if ARGV[4] == '1' then
  local left = transitions().sweep(SPAN_OF_ONE)
  call('ZREMRANGEBYSCORE', P .. 'gone', '-inf', clock[1] * 1000000 + clock[2] - DAY)
  local removed = transitions().trim(most)
  tell()
  return { removed, (left or removed == SPAN_OF_ONE) and 'more' or '' }
end

local from = tonumber(ARGV[7]) or 0
local found = call('ZRANGE', P .. 'old', from, from + SPAN_OF_ONE - 1)
local removed = 0
for _, member in ipairs(found) do
  if removed >= most then
    break
  end
  local state, glen = string.sub(member, 1, 1), tonumber(string.sub(member, 2, 4))
  if string.find(ARGV[5], state, 1, true) then
    local task = records().load(string.sub(member, 5), glen)
    if task and task.head[STATE] == state and (ARGV[6] == '' or task.head[DONE] <= ARGV[6]) then
      transitions().remove(task)
      removed = removed + 1
    end
  end
end
tell()
local is_all = #found < SPAN_OF_ONE
return { removed, is_all and '' or string.format('%.0f', from + #found - removed) }
