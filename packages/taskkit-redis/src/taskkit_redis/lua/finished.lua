-- What is known of finished tasks beside their records.
--
--   finished          state and group to how many tasks it has
--   old               batches, by the instant at which their tasks may be purged
--   f:<state><group>  the same batches, by the smallest due
--
-- A batch is what one settle finished of a group, in one state and with one ttl: state, length of the
-- group's name, group, and the tails of the ids, a line each; the one with the smallest due is the
-- first. One member of a sorted set for hundreds of tasks costs what one task would cost. What leaves
-- before its time (deleted, queued again) stays in its batch, and is passed over when that is read.

local MOST = 256
local LOOKED = 1000

local function file(state, group, gone, due, tails)
  local head = state .. string.format('%03d', #group) .. group
  -- Not as long as the settlement may be: to read one takes a script's time.
  for from = 1, #tails, MOST do
    local batch = head .. '\n' .. table.concat(tails, '\n', from, math.min(from + MOST - 1, #tails))
    call('ZADD', P .. 'old', gone, batch)
    call('ZADD', P .. 'f:' .. state .. group, due, batch)
  end
  call('HINCRBY', P .. 'finished', state .. group, #tails)
end

local function uncount(state, group, by)
  local name = state .. group
  if by > 0 and call('HINCRBY', P .. 'finished', name, -by) <= 0 then
    call('HDEL', P .. 'finished', name)
    -- All that is left are batches that everything has left.
    local key = P .. 'f:' .. name
    many('ZREM', P .. 'old', call('ZRANGE', key, 0, -1))
    call('DEL', key)
  end
end

local function unfile(state, group)
  uncount(state, group, 1)
end

-- Tasks of a batch are no longer in the store.
local function forget(state, group, by)
  if by > 0 then
    uncount(state, group, by)
    count_group(group, -by)
  end
end

local function read_batch(batch)
  local glen = tonumber(string.sub(batch, 2, 4))
  local found = {
    name = batch,
    state = string.sub(batch, 1, 1),
    group = string.sub(batch, 5, 4 + glen),
    ids = {},
    keys = {},
  }
  for tail in string.gmatch(string.sub(batch, 6 + glen), '[^\n]+') do
    local id = found.group .. '_' .. tail
    found.ids[#found.ids + 1], found.keys[#found.keys + 1] = id, key_of(id)
  end
  found.raws = read_all('MGET', nil, found.keys)
  return found
end

local function drop(batch)
  call('ZREM', P .. 'old', batch.name)
  local key = P .. 'f:' .. batch.state .. batch.group
  call('ZREM', key, batch.name)
  if call('EXISTS', key) == 0 then
    -- Whatever the count had come to.
    call('HDEL', P .. 'finished', batch.state .. batch.group)
  end
end

-- Whether a task of a batch whose time is over is counted still. After the server removed it, its id
-- may have been put anew: then the record is younger than the end of the batch.
local function leave(batch, place, gone)
  local id, raw = batch.ids[place], batch.raws[place]
  if not raw then
    if call('ZREM', P .. 'ids', id) == 0 then
      return false -- deleted before
    end
    over(id)
    return true
  end
  local task = records().task_of(id, #batch.group, raw)
  local head = task.head
  if head[STATE] == batch.state and tonumber(head[DONE]) + head[TTL] <= instant then
    records().erase(id)
    over(id)
    return true
  end
  local created = tonumber(head[CREATED])
  return created > gone or (created == gone and not head[SETTLED])
end

-- Remove up to `most` finished tasks whose time is over, and what the index still says of those that
-- the server has removed by itself; return how many, and whether there are more.
local function trim(most)
  local removed, looked = 0, 0
  while looked < LOOKED do
    local found = call('ZRANGEBYSCORE', P .. 'old', '-inf', instant, 'WITHSCORES', 'LIMIT', 0, 1)
    if not found[1] then
      return removed, false
    end
    local batch, gone, left = read_batch(found[1]), tonumber(found[2]), 0
    for place = 1, #batch.ids do
      if removed + left >= most then
        forget(batch.state, batch.group, left)
        return removed + left, true
      end
      left = left + (leave(batch, place, gone) and 1 or 0)
    end
    forget(batch.state, batch.group, left)
    drop(batch)
    removed, looked = removed + left, looked + #batch.ids
  end
  return removed, true
end

-- The smallest due of a state in a group; false: there is none; nil: it has to be asked for again.
local function oldest(state, group)
  local key = P .. 'f:' .. state .. group
  for _ = 1, 4 do
    local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')
    if not first[1] then
      return false
    end
    local start = 6 + #group
    local id = group .. '_' .. string.match(first[1], '^[^\n]+', start)
    local raw = call('GET', key_of(id))
    if raw and state_of(raw) == state then
      local due = records().task_of(id, #group, raw).head[DUE]
      if tonumber(due) == tonumber(first[2]) then
        return due
      end
    end
    -- It has left: the batch is written anew, without those that have.
    local batch = read_batch(first[1])
    local tails, least = {}, nil
    for place, found in ipairs(batch.ids) do
      local other = batch.raws[place]
      if other and state_of(other) == state then
        local task = records().task_of(found, #group, other)
        tails[#tails + 1] = task.tail
        if not least or task.head[DUE] < least then
          least = task.head[DUE]
          tails[1], tails[#tails] = tails[#tails], tails[1]
        end
      elseif not other and call('ZREM', P .. 'ids', found) == 1 then
        forget(state, group, 1) -- evicted
      end
    end
    local gone = call('ZSCORE', P .. 'old', batch.name)
    call('ZREM', key, batch.name)
    call('ZREM', P .. 'old', batch.name)
    if least then
      local again = state .. string.format('%03d', #group) .. group .. '\n' .. table.concat(tails, '\n')
      call('ZADD', P .. 'old', gone, again)
      call('ZADD', key, least, again)
    end
  end
  return nil
end

return {
  file = file,
  unfile = unfile,
  read_batch = read_batch,
  drop = drop,
  trim = trim,
  oldest = oldest,
}
