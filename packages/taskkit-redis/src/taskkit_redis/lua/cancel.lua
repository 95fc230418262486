-- uses base records lines queue finished transitions
-- Unclaimed: cancelled. Running: to be cancelled.
--
-- ARGV[3…]  id and length of its group's name, of each
-- Answers for each D (done), Q (requested), R (refused) or U (unknown).

local answers = {}
transitions().sweep(1000)
for place = 3, #ARGV, 2 do
  local task = transitions().load(ARGV[place], tonumber(ARGV[place + 1]))
  local answer = 'R'
  if not task then
    answer = 'U'
  elseif task.run then
    local entry = call('HGET', P .. 'running', task.id)
    local marked = string.sub(entry, 1, 34) .. 'c' .. string.sub(entry, 36)
    call('HSET', P .. 'running', task.id, marked)
    answer = 'Q'
  elseif task.head[STATE] == 'q' then
    queue().dequeue(task)
    transitions().finish(task, 'c', REQUESTED)
    answer = 'D'
  end
  answers[#answers + 1] = answer
end
tell()
return answers
