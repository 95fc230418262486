-- What every script has: its keys, its clock, and its news.
--
-- KEYS[1]  what all keys of this partition begin with; it contains the hash tag, so that they share
--          one slot
-- ARGV[1]  now, eighteen digits; empty: the server's own clock
-- ARGV[2]  the command that publishes: PUBLISH, or SPUBLISH on a cluster
--
-- Instants are text of eighteen digits. A Lua number holds only 53 bits, too few for the
-- microseconds of the year 2300; and text of one length compares and sorts like numbers.

local P = KEYS[1]
local call = redis.call

-- While a slot moves to another node, a script that meets a missing key fails in its middle. So it
-- looks for one that is always missing before it does anything.
if ARGV[2] ~= 'PUBLISH' then
  local probe = redis.pcall('EXISTS', P .. 'nothing')
  if type(probe) == 'table' then
    return redis.error_reply('TRYAGAIN the slot is being moved to another node')
  end
end

local function stamp(number)
  return string.format('%018.0f', number > 0 and number or 0)
end

local native = ARGV[1] == ''
local clock = call('TIME')
local now = ARGV[1]
if native then
  -- Cut out, not formatted: that would take longer than most commands.
  now = string.sub('00' .. clock[1], -12) .. string.sub('00000' .. clock[2], -6)
end
local instant = tonumber(now)

-- '+5' is five microseconds from now; everything else is an instant already.
local function resolve(text)
  if string.sub(text, 1, 1) == '+' then
    return stamp(instant + tonumber(string.sub(text, 2)))
  end
  return text
end

-- Lua cannot pass more than about 8000 arguments at once.
local SPAN = 4000

local function many(command, key, args)
  for from = 1, #args, SPAN do
    call(command, key, unpack(args, from, math.min(from + SPAN - 1, #args)))
  end
end

-- The answers of MGET (without a key) or HMGET to any number of names.
local function read_all(command, key, names)
  if #names <= SPAN then
    if #names == 0 then
      return {}
    end
    return key and call(command, key, unpack(names)) or call(command, unpack(names))
  end
  local found = {}
  for from = 1, #names, SPAN do
    local upto = math.min(from + SPAN - 1, #names)
    local part = key and call(command, key, unpack(names, from, upto))
      or call(command, unpack(names, from, upto))
    for place = 1, upto - from + 1 do
      found[from + place - 1] = part[place]
    end
  end
  return found
end

-- ---- news: who is woken when the script has done its work

local woken, ended = {}, {}

local function wake(group)
  woken[group] = true
end

local function over(id)
  ended[#ended + 1] = id
end

local function tell()
  local groups = {}
  for group in pairs(woken) do
    groups[#groups + 1] = group
  end
  if #groups > 0 then
    call(ARGV[2], P .. 'wake', table.concat(groups, '\n'))
  end
  if #ended == 0 or call('EXISTS', P .. 'watched') == 0 then
    return
  end
  local watched = {}
  for _, id in ipairs(ended) do
    if call('ZREM', P .. 'watched', id) == 1 then
      watched[#watched + 1] = id
    end
  end
  if #watched > 0 then
    call(ARGV[2], P .. 'done', table.concat(watched, '\n'))
  end
end

-- ---- records: see there

local STATE, OPTIONS, DUE, CREATED, PRIORITY, EXPIRES = 1, 2, 3, 4, 5, 6
local ATTEMPT, RETRIES, LOSSES, TTL = 7, 8, 9, 10
-- Absent until the first claim has ended.
local SETTLED, BEGAN, DONE, FAILURE, HISTORY = 11, 12, 13, 14, 15

-- What stands in OPTIONS; false there: all as in DEFAULTS, and it never expires.
local UNIQUE, SCOPE, LOCK, LOCK_LIMIT, ON_LOST, MAX_LOST, MAX_HISTORY = 1, 2, 3, 4, 5, 6, 7
local DEFAULTS = { false, 'queued', false, 1, 'retry', 3, 10 }

local REQUESTED = { 'cancelled', 'somebody asked to cancel the task', '' }

-- Behind every text: it is in none.
local END = '\255'

-- A record begins with two bytes of array headers; then come the state and the options, so that
-- both can be told without unpacking.
local NO_OPTIONS = 0xc2

local function state_of(raw)
  return string.sub(raw, 4, 4)
end

local function is_plain(raw)
  return string.byte(raw, 5) == NO_OPTIONS
end

-- Whether a record is as put by new_record, without options, and was not changed since. By bytes: a
-- string that is cut out has to be made first.
local function is_untouched(raw)
  local outer, head, _, state, options = string.byte(raw, 1, 5)
  local expires, attempt, retries, losses = string.byte(raw, 48, 51)
  return options == NO_OPTIONS and outer == 0x92 and head == 0x9a and state == 0x71
    and expires == 0xa0 and attempt == 0 and retries == 0 and losses == 0
end

local function key_of(id)
  return P .. 't:' .. id
end

local function count_group(group, by)
  if call('HINCRBY', P .. 'groups', group, by) <= 0 then
    call('HDEL', P .. 'groups', group)
  end
end
