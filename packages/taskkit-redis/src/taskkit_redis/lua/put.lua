-- uses base records lines queue finished transitions putting
-- Absent: waiting or queued. All of them or none.
--
-- ARGV[3]  1: no group may hold more than its max_queue_size
-- ARGV[4]  1: only say what would become of them
-- then the tasks (see putting)
-- Answers for each 0 (put), 1 (known) or the id that holds its key; or FULL, group, size; or AGAIN:
-- a group is full, but of what has expired more may be left than one script should cancel at once.

local answers = putting().put_all(5, ARGV[3] == '1', ARGV[4] == '1')
tell()
return answers
