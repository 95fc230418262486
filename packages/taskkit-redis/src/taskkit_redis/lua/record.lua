-- uses base records lines queue finished transitions
-- Absent: succeeded or failed, for a task that was run in place.
--
-- ARGV[3…10]  the task, as in putting
-- ARGV[11]    when it began
-- ARGV[12]    the outcome
-- ARGV[13]    failure, packed
-- ARGV[14]    result, packed
-- Answers 1, or 0 if the id is known.

local id, glen = ARGV[3], tonumber(ARGV[4])
if call('EXISTS', key_of(id)) == 1 then
  return 0
end
local options = ARGV[9] ~= '' and cmsgpack.unpack(ARGV[9]) or false
local task = {
  id = id,
  glen = glen,
  group = string.sub(id, 1, glen),
  tail = string.sub(id, glen + 2),
  options = options or DEFAULTS,
  rest = ARGV[10],
  run = { began = ARGV[11], worker = '' },
}
task.head = records().lengthen({
  'q', options, resolve(ARGV[5]), now, ARGV[6], resolve(ARGV[7]), 0, 0, 0, cmsgpack.unpack(ARGV[8]),
})
local failure = ARGV[13] ~= '' and cmsgpack.unpack(ARGV[13]) or false
records().note(task, ARGV[12], failure)
task.head[BEGAN] = ARGV[11]
call('ZADD', P .. 'ids', 0, id)
count_group(task.group, 1)
if ARGV[12] == 'succeed' then
  transitions().finish(task, 's', false, ARGV[14])
else
  transitions().finish(task, 'f', failure)
end
tell()
return 1
