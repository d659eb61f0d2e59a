import { describe, expect, test } from "vitest";
import { FORMS } from "$contract/grammar";
import { parse } from "./words";

/** The wrong word of a line, what is wrong, what would be right. */
function wrong(line: string): [string, string, string] | undefined {
  const found = parse(line).wrong;
  return found && [line.slice(found.start, found.end), found.problem, found.cure];
}

describe("the grammar", () => {
  test("every example of the table is a command", () => {
    for (const form of FORMS) {
      for (const example of form.examples) {
        expect(parse(example), example).toMatchObject({ verb: form.verb, form, wrong: undefined });
        expect(parse(`qbo ${example}`).wrong).toBeUndefined();
      }
    }
  });

  test("aliases, options before and after, letters together", () => {
    expect(parse("del clusters alex").form?.verb).toBe("delete");
    expect(parse("get svc -Aw").options.map(({ option }) => option.long)).toEqual(["all", "watch"]);
    expect(parse("add cluster -n3 alex").options[0]?.value).toBe("3");
    expect(parse("add cluster -n=3 --domain=a=b alex").options.map(({ value }) => value)).toEqual(["3", "a=b"]);
    expect(parse("add cluster alex -n 5 prod").arguments.map(({ text }) => text)).toEqual(["alex", "prod"]);
  });

  test("says which word is wrong, and what would be right", () => {
    expect(wrong("delte cluster alex")).toEqual(["delte", "unknown command 'delte'", "did you mean 'delete'?"]);
    expect(wrong("get pots")).toEqual(["pots", "'get' has no object 'pots'", "did you mean 'get pods'?"]);
    expect(wrong("add cluster alex -x")?.slice(0, 2)).toEqual(["-x", "unknown option '-x'"]);
    expect(wrong("get nodes alex -A")?.[0]).toBe("alex");
    expect(wrong("get nodes -A -A")?.[1]).toBe("--all is given twice");
    expect(wrong("version 1")?.[0]).toBe("1");
    expect(wrong("add cluster --retain=1 a")?.[1]).toBe("--retain takes no value");
  });

  test("what more typing could mend is unfinished", () => {
    for (const line of ["", "add", "add cluster", "stop node", "add cluster alex -n", "admit user"]) {
      expect(parse(line).wrong, line).toMatchObject({ unfinished: true, start: line.length });
    }
    expect(parse("get nod").wrong?.unfinished).toBe(false);
  });
});
