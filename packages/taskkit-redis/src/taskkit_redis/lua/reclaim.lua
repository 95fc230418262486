-- uses base records lines queue finished transitions leaving
-- The tasks of workers that are dead or unknown go back to the queue.
--
-- ARGV[3]  at most so many
-- ARGV[4]  1: this is the only partition, so that a worker without tasks here has none
-- Answers how many; the workers whose tasks are not all taken back; those that were removed; those
-- that may be removed if no other partition has a task of theirs; and the outbox.

local most, alone = tonumber(ARGV[3]), ARGV[4] == '1'
local dead = call('ZRANGEBYSCORE', P .. 'workers', '-inf', instant)
for _, worker in ipairs(call('SMEMBERS', P .. 'runners')) do
  if not call('ZSCORE', P .. 'workers', worker) then
    dead[#dead + 1] = worker
  end
end
local taken, left, removed, candidates = 0, {}, {}, {}
for _, worker in ipairs(dead) do
  if taken < most then
    taken = taken + leaving().take_back(worker, most - taken, true)
  end
  local info = call('HGET', P .. 'worker:' .. worker, 'info')
  if call('EXISTS', P .. 'run:' .. worker) == 1 then
    left[#left + 1] = worker
  elseif alone then
    if leaving().strike(worker) then
      removed[#removed + 1] = worker
    end
  elseif info and info ~= '' then
    candidates[#candidates + 1] = worker
  else
    leaving().strike(worker)
  end
end
tell()
return { taken, left, removed, candidates, call('HGETALL', P .. 'outbox') }
