-- What becomes of the tasks of a worker that is gone.

-- Take back up to `most` of what a worker runs; return how many.
local function take_back(worker, most, lost)
  local ids = call('SRANDMEMBER', P .. 'run:' .. worker, most)
  for _, id in ipairs(ids) do
    local run = records().read_run(call('HGET', P .. 'running', id))
    local task = records().load(id, run.glen)
    if not task then
      transitions().forget(id, run)
    elseif lost then
      transitions().lose(task)
    else
      transitions().release(task, '')
    end
  end
  return #ids
end

local function strike(worker)
  call('DEL', P .. 'worker:' .. worker)
  call('DEL', P .. 'attended:' .. worker)
  call('SREM', P .. 'runners', worker)
  return call('ZREM', P .. 'workers', worker) == 1
end

return {
  take_back = take_back,
  strike = strike,
}
