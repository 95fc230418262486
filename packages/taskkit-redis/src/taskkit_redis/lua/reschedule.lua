-- uses base records lines queue finished transitions
-- Unclaimed: unclaimed, with another due.
--
-- ARGV[3]   due
-- ARGV[4…]  id and length of its group's name, of each
-- Answers for each D (done), R (refused) or U (unknown).

local answers, due = {}, resolve(ARGV[3])
transitions().sweep(1000)
for place = 4, #ARGV, 2 do
  local task = transitions().load(ARGV[place], tonumber(ARGV[place + 1]))
  local answer = 'R'
  if not task then
    answer = 'U'
  elseif task.head[STATE] == 'q' and not task.run then
    queue().dequeue(task)
    task.head[DUE] = due
    records().save(task)
    if task.head[EXPIRES] ~= '' then
      call('ZADD', P .. 'x', 0, queue().expiry(task))
    end
    lines().enqueue(task)
    answer = 'D'
  end
  answers[#answers + 1] = answer
end
tell()
return answers
