-- Part of claim: which groups may be served under a want, and how many tasks of each may run.
--
-- From claim: wants, shut, limits, pauses, comes.

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
