-- uses base records lines queue finished transitions putting
-- Absent: waiting or queued, as one command of a caller's MULTI.
--
-- The same as put, but a group that is full is an error: the caller has no answer to look at.

-- Nor can it make room in several steps, as a client of put does.
local answers
repeat
  answers = putting().put_all(5, true, false)
until answers[1] ~= 'AGAIN'
if answers[1] == 'FULL' then
  return redis.error_reply('QUEUEFULL group ' .. answers[2] .. ' may hold ' .. answers[3]
    .. ' unclaimed tasks')
end
tell()
return answers
