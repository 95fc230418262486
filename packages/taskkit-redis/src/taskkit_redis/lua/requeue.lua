-- uses base records lines queue finished transitions
-- Failed, lost or cancelled: waiting or queued.
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
  else
    local head = task.head
    local state = head[STATE]
    local has_ended = state == 'f' or state == 'l' or state == 'c'
    if has_ended and not transitions().holder(task.group, task.options[UNIQUE], task.tail) then
      finished().unfile(state, task.group)
      records().mark_again(task.id)
      head[STATE], head[DUE], head[EXPIRES] = 'q', due, ''
      head[RETRIES], head[LOSSES], head[DONE], head[FAILURE] = 0, 0, '', false
      queue().hold_key(task)
      records().save(task)
      lines().enqueue(task)
      answer = 'D'
    end
  end
  answers[#answers + 1] = answer
end
tell()
return answers
