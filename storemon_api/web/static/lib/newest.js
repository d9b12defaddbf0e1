// Choices come faster than answers: a part of a page shows the answer to the newest choice only.

// Wraps work that reads from the server and shows what it got. Each answer is awaited through the
// function that the work gets first. Once the work is called again, it ends at its next answer,
// and whatever fails in it is of no interest. The promise of such a call is that of the newest.
export function newestOnly(work) {
  let calls = 0;
  let newest = null;

  async function call(own, given) {
    const isOvertaken = () => own !== calls;
    const answerOf = async (promise) => {
      const answer = await promise;
      if (isOvertaken()) throw new Error("overtaken");
      return answer;
    };
    try {
      await work(answerOf, ...given);
    } catch (error) {
      if (!isOvertaken()) throw error;
      await newest;
    }
  }

  return (...given) => {
    calls += 1;
    newest = call(calls, given);
    return newest;
  };
}
