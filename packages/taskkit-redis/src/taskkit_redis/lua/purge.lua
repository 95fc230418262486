-- uses base records lines queue finished transitions
-- Finished: absent.
--
-- ARGV[3]  at most so many
-- ARGV[4]  1: those whose time is over; and what has expired is cancelled
-- ARGV[5]  else: of these states, one letter each
-- ARGV[6]  done at this instant or before (empty: whenever)
-- ARGV[7]  where to go on looking (empty: at the beginning)
-- Answers how many were removed, and where to go on (empty: that was all).
--
-- One script looks at no more than some hundred tasks, so that nobody waits for long.

local SPAN_OF_ONE = 100
local DAY = 86400000000
local most = math.min(tonumber(ARGV[3]), SPAN_OF_ONE)

if ARGV[4] == '1' then
  local left = transitions().sweep(SPAN_OF_ONE)
  call('ZREMRANGEBYSCORE', P .. 'gone', '-inf', clock[1] * 1000000 + clock[2] - DAY)
  local removed, more = finished().trim(most)
  tell()
  return { removed, (left or more) and 'more' or '' }
end

-- Remove what is wanted of a batch, at most so many; return how many, and whether anything is left.
local function purge_batch(batch, upto)
  local removed, rest = 0, false
  for place, id in ipairs(batch.ids) do
    local raw = batch.raws[place]
    local task = raw and records().load(id, #batch.group)
    if task and task.head[STATE] == batch.state then
      if removed < upto and (ARGV[6] == '' or task.head[DONE] <= ARGV[6]) then
        transitions().remove(task)
        removed = removed + 1
      else
        rest = true
      end
    elseif not raw and call('ZSCORE', P .. 'ids', id) then
      rest = true -- the server has removed it, and trim tidies up
    end
  end
  return removed, rest
end

local from = tonumber(ARGV[7]) or 0
local removed, looked, at_end = 0, 0, false
while removed < most and looked < SPAN_OF_ONE do
  local name = call('ZRANGE', P .. 'old', from, from)[1]
  if not name then
    at_end = true
    break
  end
  local rest = true
  looked = looked + 1
  if string.find(ARGV[5], string.sub(name, 1, 1), 1, true) then
    local batch = finished().read_batch(name)
    local by
    by, rest = purge_batch(batch, most - removed)
    removed, looked = removed + by, looked + #batch.ids
    if not rest then
      finished().drop(batch)
    end
  end
  if rest then
    from = from + 1
  end
end
tell()
return { removed, at_end and '' or string.format('%.0f', from) }
