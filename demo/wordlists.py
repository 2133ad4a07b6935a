"""Common words from which invented people are put together; none of it is about anyone."""

from __future__ import annotations

from typing import Final

SURNAMES: Final = tuple("王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高梁郑谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余") + (
    "欧阳",
    "司徒",
)
GIVEN_MALE: Final = tuple(
    "伟 强 磊 军 勇 杰 涛 超 辉 鹏 志强 建华 国栋 浩然 俊杰 家豪 子轩 文博 永健 锦荣 伟明 志成 海波 少峰 振宇 天佑 卓文 启明".split()
)
GIVEN_FEMALE: Final = tuple(
    "芳 娜 敏 静 丽 艳 娟 霞 婷 雪 秀英 桂兰 丽华 晓燕 嘉欣 诗雅 雨桐 佩珊 惠玲 淑芬 美玲 翠萍 海燕 思颖".split()
)
COUNTIES: Final = (
    ("440605", "广东省佛山市南海区"),
    ("440606", "广东省佛山市顺德区"),
    ("440608", "广东省佛山市高明区"),
    ("430121", "湖南省长沙市长沙县"),
    ("450122", "广西壮族自治区南宁市武鸣县"),
    ("511321", "四川省南充市南部县"),
    ("360121", "江西省南昌市南昌县"),
    ("441223", "广东省肇庆市广宁县"),
)
# town: (justice office, LGB's own three digits behind 440604)
OFFICES: Final = {
    "祖庙街道": ("祖庙司法所", "001"),
    "石湾镇街道": ("石湾司法所", "002"),
    "南庄镇": ("南庄司法所", "003"),
    "张槎街道": ("张槎司法所", "004"),
}
ROADS: Final = (
    "汾江中路",
    "季华五路",
    "福宁路",
    "岭南大道",
    "文华路",
    "魁奇路",
    "朝安路",
    "同济路",
    "绿景路",
    "江湾路",
)
TRADES: Final = ("陶瓷", "纺织", "五金", "照明", "食品", "物流", "家具", "电器", "包装", "餐饮")
CHARGES: Final = (
    ("PUBLIC_SECURITY", "危险驾驶罪"),
    ("PUBLIC_SECURITY", "交通肇事罪"),
    ("PROPERTY", "盗窃罪"),
    ("PROPERTY", "诈骗罪"),
    ("PERSONAL_RIGHTS", "故意伤害罪"),
    ("ECONOMIC_ORDER", "虚开增值税专用发票罪"),
    ("SOCIAL_ORDER", "帮助信息网络犯罪活动罪"),
    ("SOCIAL_ORDER", "开设赌场罪"),
    ("SOCIAL_ORDER", "掩饰、隐瞒犯罪所得罪"),
)
PROHIBITIONS: Final = ("禁止进入娱乐场所", "禁止接触被害人", "禁止饮酒后驾驶")
PRISONS: Final = ("广东省佛山监狱", "广东省高明监狱", "广东省番禺监狱")
