-- Part of claim: the groups of a want in their turns, until there are as many tasks as it asks for.
--
-- From claim: BUDGET, limits, examined, more; and the parts before.

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
