-- uses base records lines queue finished transitions
-- Any state: absent.
--
-- ARGV[3…]  id and length of its group's name, of each
-- Answers for each D (done) or U (unknown).

local answers = {}
for place = 3, #ARGV, 2 do
  local task = records().load(ARGV[place], tonumber(ARGV[place + 1]))
  if task then
    transitions().remove(task)
    call('ZREM', P .. 'gone', task.id)
  end
  answers[#answers + 1] = task and 'D' or 'U'
end
tell()
return answers
