/** What people with other eyes, or none, would stumble over in a page. */
import type { Page } from 'playwright-core';

/** Roles that must say what they are. */
const namedRoles = new Set(
  'button link textbox searchbox combobox slider spinbutton checkbox image img region navigation dialog search complementary table article'.split(
    ' ',
  ),
);

/** Nodes of the accessibility tree that should have a name and have none. */
export async function namelessNodes(page: Page): Promise<string[]> {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send('Accessibility.getFullAXTree');
  const nameless = nodes.filter(
    ({ ignored, role, name }) => !ignored && namedRoles.has(role?.value) && !String(name?.value ?? '').trim(),
  );
  return nameless.map(({ role, backendDOMNodeId }) => `${role?.value} ${backendDOMNodeId}`);
}

/** Texts whose contrast with what lies behind them is below 4.5 (WCAG 2.2, 1.4.3), with the figure. @param fewest texts there must be */
export const faintText = (page: Page, fewest = 100): Promise<string[]> =>
  page.evaluate(`(${auditScript})(${fewest})`) as Promise<string[]>;

/** Runs in the page. Backgrounds here are opaque or absent; text on pictures does not occur. */
const auditScript = `fewest => {
  const channels = color => color.match(/[\\d.]+/g).map(Number);
  const luminance = color => {
    const [red, green, blue] = channels(color).slice(0, 3).map(value => value / 255)
      .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if ((channels(color)[3] ?? 1) > 0) return color;
    }
    throw new Error('no background');
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = [];
  let seen = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest('script, svg, dialog') || !element.checkVisibility()) continue;
    const [dark, light] = [getComputedStyle(element).color, behind(element)].map(luminance).sort((a, b) => a - b);
    const contrast = (light + 0.05) / (dark + 0.05);
    seen++;
    if (contrast < 4.5) faint.push(contrast.toFixed(2) + ' ' + walker.currentNode.data.trim().slice(0, 40));
  }
  if (seen < fewest) throw new Error('only ' + seen + ' texts seen');
  return faint;
}`;
